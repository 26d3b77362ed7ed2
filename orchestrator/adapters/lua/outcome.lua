-- Tells the breaker what came of a call; answers what that changed. orchestrator/breaker.py says why.
local breaker = KEYS[1]
local is_alive, opens_at = ARGV[1] == '1', tonumber(ARGV[2])
local forgotten_after, probe_first, ramp = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local now = now_ms()
local state = redis.call('HMGET', breaker, 'failures', 'opened', 'failed')
local failures, opened, failed = tonumber(state[1]) or 0, state[2], tonumber(state[3]) or 0
if not opened and now - failed > forgotten_after then
  failures = 0
end

local changed = ''
if is_alive and opened then
  redis.call('HDEL', breaker, 'opened', 'probe')
  redis.call('HSET', breaker, 'failures', opens_at - 1, 'failed', now, 'closed', now)
  changed = 'closed'
elseif is_alive then
  redis.call('HSET', breaker, 'failures', math.max(0, failures - 1))
else
  failures = math.min(failures + 1, opens_at)
  redis.call('HSET', breaker, 'failures', failures, 'failed', now)
  if not opened and failures == opens_at then
    redis.call('HDEL', breaker, 'closed')
    redis.call('HSET', breaker, 'opened', now, 'probe', now + probe_first)
    changed = 'opened'
  end
end
if redis.call('HEXISTS', breaker, 'opened') == 1 then
  redis.call('PERSIST', breaker)
else
  redis.call('PEXPIRE', breaker, math.max(forgotten_after, ramp))
end
return changed
