-- One dead letter and one event for each refusal, however often it is told.
local deadletters, seen, events = KEYS[1], KEYS[2], KEYS[3]
local refusal_id, event, remembered_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

local now = now_ms()
local expired = now - remembered_ms
local told_at = tonumber(redis.call('ZSCORE', seen, refusal_id) or 0)
if told_at > expired then
  return 0
end
redis.call('ZADD', seen, now, refusal_id)
redis.call('XADD', deadletters, '*', unpack(ARGV, 4))
redis.call('XADD', events, '*', 'event', event)
redis.call('ZREMRANGEBYSCORE', seen, '-inf', expired)
return 1
