-- Claims one payment, due or not. The owner's own live claim is renewed, so that a repeat gets its record.
local payment, observations, due = KEYS[1], KEYS[2], KEYS[3]
local intent_id, owner, lease_ms = ARGV[2], ARGV[5], tonumber(ARGV[6])

local now = now_ms()
local record = stored(payment)
if not record or (record.owner ~= owner and owned_by_somebody(record, now)) then
  return false
end
take(record, payment, due, intent_id, owner, lease_ms, now)
return answer(record, observations)
