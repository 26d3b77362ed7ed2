-- Hands a claim back unchanged, to rest whatever waits; 0 where it was not the owner's any more (or a repeat).
local payment, due = KEYS[1], KEYS[3]
local intent_id, owner, rest_ms, alone_at = ARGV[2], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local rests = tonumber(ARGV[8])

local record = stored(payment)
if not record or record.owner ~= owner or record.rests ~= rests then
  return 0
end
local rest_until = now_ms() + rest_ms
redis.call('HSET', payment, 'owner', '', 'owned_until', 0)
put_aside(record, payment, rest_until, alone_at)
redis.call('ZADD', due, rest_until, intent_id)
return 1
