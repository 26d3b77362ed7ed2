-- Pauses a merchant; a longer pause that stands already stays, so that a short one does not end it.
local pause = KEYS[1]
local for_ms, reason = tonumber(ARGV[1]), ARGV[2]

if for_ms <= 0 then
  return redis.call('DEL', pause)
end
if redis.call('PTTL', pause) >= for_ms then
  return 0
end
redis.call('SET', pause, reason, 'PX', for_ms)
return 1
