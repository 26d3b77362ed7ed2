-- Appends an observation. An owner at work sees it at its commit; without one the payment is due now, and one that
-- was put aside rests on, unless somebody asks for it by a command.
local payment, observations, due, orphans, unclaimed = KEYS[1], KEYS[2], KEYS[3], KEYS[8], KEYS[9]
local merchant, intent_id, bell, shard = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local op, observation, most, is_command = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1'

local record = stored(payment)
if record and redis.call('HGET', payment, 'notify_op') == op then
  return 'stored'
end
if not record and redis.call('LPOS', observations, observation) then
  return 'orphaned'
end
if redis.call('LLEN', observations) >= most then
  return 'full'
end

local now = now_ms()
redis.call('RPUSH', observations, observation)
if not record then
  redis.call('ZADD', is_command and unclaimed or orphans, 'NX', now, merchant .. '/' .. intent_id)
  return 'orphaned'
end
redis.call('HSET', payment, 'observed', record.observed + 1, 'notify_op', op)
if is_command and record.rest_until > now then
  redis.call('HDEL', payment, 'rest_until')
  record.rest_until = 0
end
if not owned_by_somebody(record, now) and record.rest_until <= now then
  redis.call('ZADD', due, 'LT', now, intent_id)
  redis.call('ZADD', heard_beside(due), 'NX', now, intent_id)
  redis.call('PUBLISH', bell, shard)
end
return 'stored'
