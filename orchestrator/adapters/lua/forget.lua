-- Drops observations that waited for a payment which never came; 0 where it came after all: then it has them.
local payment, observations, unclaimed = KEYS[1], KEYS[2], KEYS[9]
local merchant, intent_id, rest_at = ARGV[1], ARGV[2], ARGV[5]

if redis.call('EXISTS', payment) == 1 then
  return 0
end
for position = 6, #ARGV do
  redis.call('LREM', observations, 1, ARGV[position])
end
local id = merchant .. '/' .. intent_id
if rest_at == '' then
  redis.call('ZREM', unclaimed, id)
else
  redis.call('ZADD', unclaimed, rest_at, id)
end
return 1
