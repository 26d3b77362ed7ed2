-- The one write of a payment's state. All checks come before its first write, and the first write is one that
-- a full Redis refuses: a script is done wholly or not at all.
local payment, observations, due, events, commits, lost = KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[6], KEYS[10]
local intent_id, bell, shard = ARGV[2], ARGV[3], ARGV[4]
local op, owner, expected_version, observed_seen = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local body, event, event_sequence = ARGV[9], ARGV[10], tonumber(ARGV[11])
local due_at, keep_lease_ms, own_move = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14] == '1'
local rest_ms, forgives, alone_at = tonumber(ARGV[15]), ARGV[16] == '1', tonumber(ARGV[17])
local known_lost, commits_seen = tonumber(ARGV[18]), tonumber(ARGV[19])

local now = now_ms()
local record = stored(payment)
local lost_at, count = tail_lost_at(commits, lost, commits_seen, now)
local function told(outcome, ...)
  return {outcome, count, lost_at, ...}
end
if not record then
  return told('absent')
end
if record.op == op then
  local waiting = redis.call('LRANGE', observations, 0, -1)
  return told('committed', record.version, record.sequence, record.observed, waiting)
end
if owner == '' or record.owner ~= owner then
  return told('fenced')
end
-- Who writes must know of a loss: what it takes for unsent may have been sent, and after one the same version may
-- stand for something else.
if record.version ~= expected_version or lost_at > known_lost then
  return told('conflict', answer(record, observations, lost_at))
end
if own_move and record.observed > observed_seen then
  return told('news', answer(record, observations, lost_at))
end
if event ~= '' and event_sequence ~= record.sequence + 1 then
  return told('conflict', answer(record, observations, lost_at))
end

local waiting = redis.call('LLEN', observations)
local seen = math.min(waiting, math.max(0, observed_seen - (record.observed - waiting)))
local version = record.version + 1
local sequence = record.sequence + (event ~= '' and 1 or 0)
local owned_until = 0
if rest_ms then
  due_at = now + rest_ms
elseif keep_lease_ms then
  owned_until = now + keep_lease_ms
  due_at = owned_until
elseif waiting > seen then
  due_at = now
end

redis.call('HSET', payment, 'version', version, 'sequence', sequence, 'op', op, 'body', body,
  'owner', keep_lease_ms and owner or '', 'owned_until', owned_until)
if rest_ms then
  put_aside(record, payment, due_at, alone_at)
elseif forgives then
  forgive(record, payment)
end
if event ~= '' then
  redis.call('XADD', events, '*', 'event', event)
end
count = redis.call('INCR', commits)
redis.call('LTRIM', observations, seen, -1)
if waiting > seen and not rest_ms and not keep_lease_ms then
  redis.call('ZADD', heard_beside(due), 'NX', now, intent_id)
end
if due_at then
  redis.call('ZADD', due, due_at, intent_id)
else
  redis.call('ZREM', due, intent_id)
end
if due_at and due_at <= now then
  redis.call('PUBLISH', bell, shard)
end
return told('committed', version, sequence, record.observed, redis.call('LRANGE', observations, 0, -1))
