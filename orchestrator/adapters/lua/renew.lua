-- Extends the owner's claim; 0 where it is not the owner's any more.
local payment, due = KEYS[1], KEYS[3]
local intent_id, owner, lease_ms, alone = ARGV[2], ARGV[5], tonumber(ARGV[6]), ARGV[7] == '1'

local fields = redis.call('HMGET', payment, 'owner', 'alone')
if fields[1] ~= owner then
  return 0
end
local owned_until = now_ms() + lease_ms
redis.call('HSET', payment, 'owned_until', owned_until)
mark_alone({alone = fields[2] == '1'}, payment, alone)
redis.call('ZADD', due, owned_until, intent_id)
return 1
