-- GCRA for one merchant, in microseconds: `arrival` is when the calls granted so far would all have been due at
-- an even rate. A call may be made while that lies no further ahead than its class's share of the burst.
-- A look may instead use the whole burst when the look before it is `look_interval` ago, so that calls that move
-- money cannot shut the polls out.
local arrival, looks, pause = KEYS[1], KEYS[2], KEYS[3]
local interval, burst, share, look_interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local paused_ms = redis.call('PTTL', pause)
if paused_ms > 0 then
  return paused_ms
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = math.max(now, tonumber(redis.call('GET', arrival) or 0)) + interval
local wait = at - share * interval - now
if look_interval then
  local next_look = tonumber(redis.call('GET', looks) or 0)
  wait = math.min(wait, math.max(at - burst * interval, next_look) - now)
end
if wait > 0 then
  return math.ceil(wait / 1000)
end

local function keep(name, until_us)
  redis.call('SET', name, string.format('%.0f', until_us), 'PX', math.ceil((until_us - now) / 1000) + 1)
end
keep(arrival, at)
if look_interval then
  keep(looks, now + look_interval)
end
return 0
