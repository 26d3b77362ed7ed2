-- Leaves only a tombstone of a payment that nobody holds and nothing waits for; 0 where it is not as it was read.
local payment, observations, due, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[7]
local intent_id, version, remember_ms = ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])

local record = stored(payment)
if not record or record.version ~= version or redis.call('LLEN', observations) > 0
  or owned_by_somebody(record, now_ms()) then
  return 0
end
redis.call('SET', tombstone, record.fingerprint, 'PX', remember_ms)
redis.call('DEL', payment, observations)
redis.call('ZREM', due, intent_id)
return 1
