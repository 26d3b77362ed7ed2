-- Grants the calls of one block. GCRA for one merchant, in microseconds: `arrival` is when the calls granted so far
-- would all have been due at an even rate. A call may be made while that lies no further ahead than its class's
-- share of the burst. A look may use the whole burst, and goes first, when the look before it is `look_interval` ago,
-- so that calls that move money cannot shut the polls out.
-- `wire` tells for each holder how many calls it has on the wire and until when that counts without another word.
local arrival, looks, wire, pause, account_pause, breaker = unpack(KEYS)
local interval, burst, look_interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local concurrency, holder, on_wire = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local held_ms, block, full_wait_ms = tonumber(ARGV[7]), tonumber(ARGV[8]) * 1000, tonumber(ARGV[9])
local probe_first, probe_max, probes = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local ramp, ramp_from = tonumber(ARGV[13]), tonumber(ARGV[14])
local wanted = {tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])}
local ahead = {tonumber(ARGV[18]), tonumber(ARGV[19]), tonumber(ARGV[20])}
local ACT, CONFIRM, LOOK = 1, 2, 3
local OPEN, PAUSED, BROKEN, FULL = 0, 1, 2, 3

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local clock = math.floor(now / 1000)
local given, standing = {0, 0, 0}, OPEN
local waits = {0, 0, 0}

local free = concurrency - on_wire
local slots = redis.call('HGETALL', wire)
for position = 1, #slots, 2 do
  local count, until_ms = string.match(slots[position + 1], '^(%d+) (%d+)$')
  if tonumber(until_ms) <= clock then
    redis.call('HDEL', wire, slots[position])
  elseif slots[position] ~= holder then
    free = free - count
  end
end
free = math.max(0, free)

local function keep(name, until_us)
  local ahead_ms = math.ceil(math.max(0, until_us - now + block) / 1000)
  redis.call('SET', name, string.format('%.0f', until_us), 'PX', ahead_ms + 1)
end

local at = math.max(now, tonumber(redis.call('GET', arrival) or 0))

local function share(class)
  return math.max(1, burst - math.floor(burst * (class - 1) / 5))
end

local function take(class, most, limit)
  local room = math.floor((now + limit * interval - at) / interval)
  local count = math.max(0, math.min(most, room, free))
  given[class] = given[class] + count
  at = at + count * interval
  free = free - count
  return count
end

local function by_rate()
  local next_look = math.max(tonumber(redis.call('GET', looks) or 0), now - block)
  if wanted[LOOK] > 0 and next_look <= now then
    local worth = math.floor((now - next_look) / look_interval) + 1
    local count = take(LOOK, math.min(wanted[LOOK], worth), burst)
    if count > 0 then
      next_look = next_look + count * look_interval
      keep(looks, next_look)
    end
  end
  for class = ACT, LOOK do
    take(class, wanted[class] - given[class], share(class))
  end
  local lacks = {}
  for class = ACT, LOOK do
    if given[class] < wanted[class] then
      lacks[class] = at + interval - share(class) * interval - now
    end
  end
  if lacks[LOOK] then
    lacks[LOOK] = math.min(lacks[LOOK], math.max(at + interval - burst * interval, next_look) - now)
  end
  for class, wait in pairs(lacks) do
    waits[class] = math.max(1, math.ceil(wait / 1000))
    if free == 0 then
      standing = FULL
      waits[class] = math.max(waits[class], full_wait_ms)
    end
  end
  -- What is asked ahead is given from what nobody is short of.
  for class = ACT, LOOK do
    local spare = free - math.ceil(concurrency / 2)
    if next(lacks) == nil and spare > 0 then
      take(class, math.min(ahead[class], spare), math.floor(math.min(share(class), burst / 2)))
    end
  end
end

local paused_ms = math.max(redis.call('PTTL', pause), redis.call('PTTL', account_pause))
local state = redis.call('HMGET', breaker, 'failures', 'opened', 'probe', 'closed')
local opened, probe_at, closed = tonumber(state[2]), tonumber(state[3]), tonumber(state[4])
if paused_ms > 0 then
  standing = PAUSED
  waits = {paused_ms, paused_ms, paused_ms}
elseif opened then
  standing = BROKEN
  local class = wanted[CONFIRM] > 0 and CONFIRM or LOOK
  if wanted[class] > 0 and probe_at <= clock and take(class, 1, burst) > 0 then
    probe_at = clock + math.min(math.max(math.floor((clock - opened) / probes), probe_first), probe_max)
    redis.call('HSET', breaker, 'probe', probe_at)
  end
  local wait = math.max(1, probe_at - clock)
  waits = {wait, wait, wait}
else
  if closed then
    local slow = math.min(ramp_from, math.max(1, ramp / math.max(1, clock - closed)))
    interval, look_interval = math.floor(interval * slow), math.floor(look_interval * slow)
    burst = math.max(1, math.floor(burst / slow))
  end
  by_rate()
end

local total = given[ACT] + given[CONFIRM] + given[LOOK]
if total > 0 then
  keep(arrival, at)
end
if on_wire + total > 0 then
  redis.call('HSET', wire, holder, (on_wire + total) .. ' ' .. string.format('%.0f', clock + held_ms))
  redis.call('PEXPIRE', wire, held_ms)
else
  redis.call('HDEL', wire, holder)
end
return {given, waits, standing, tonumber(state[1]) or 0}
