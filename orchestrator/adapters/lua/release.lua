-- Hands a claim back unchanged; 0 where it was not the owner's any more (or a repeat: then it is done already).
local payment, observations, due = KEYS[1], KEYS[2], KEYS[3]
local intent_id, bell, shard, owner, due_at = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

if redis.call('HGET', payment, 'owner') ~= owner then
  return 0
end
local now = now_ms()
if redis.call('LLEN', observations) > 0 then
  due_at = now
  redis.call('ZADD', heard_beside(due), 'NX', now, intent_id)
end
redis.call('HSET', payment, 'owner', '', 'owned_until', 0)
if due_at then
  redis.call('ZADD', due, due_at, intent_id)
else
  redis.call('ZREM', due, intent_id)
end
if due_at and due_at <= now then
  redis.call('PUBLISH', bell, shard)
end
return 1
