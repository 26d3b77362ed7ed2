-- Extends the owner's claim; 0 where it is not the owner's any more.
local payment, due = KEYS[1], KEYS[3]
local intent_id, owner, lease_ms = ARGV[2], ARGV[5], tonumber(ARGV[6])

if redis.call('HGET', payment, 'owner') ~= owner then
  return 0
end
local owned_until = now_ms() + lease_ms
redis.call('HSET', payment, 'owned_until', owned_until)
redis.call('ZADD', due, owned_until, intent_id)
return 1
