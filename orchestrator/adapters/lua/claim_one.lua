-- Claims one payment, due or not. The owner's own live claim is renewed, so that a repeat gets its record.
local payment, observations, due, lost = KEYS[1], KEYS[2], KEYS[3], KEYS[10]
local intent_id = ARGV[2]
local claim = {owner = ARGV[5], lease_ms = tonumber(ARGV[6]), alone_at = tonumber(ARGV[7])}

local now = now_ms()
local record = stored(payment)
if not record or (record.owner ~= claim.owner and owned_by_somebody(record, now)) then
  return false
end
take(record, payment, due, intent_id, claim, now)
return answer(record, observations, known_lost_at(lost))
