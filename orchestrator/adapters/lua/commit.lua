-- The one write of a payment's state. All checks come before the first write, and the first write is one that
-- a full Redis refuses: a script is done wholly or not at all.
local payment, observations, due, events, commits = KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[6]
local intent_id, bell, shard = ARGV[2], ARGV[3], ARGV[4]
local op, owner, expected_version, observed_seen = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local body, event, event_sequence = ARGV[9], ARGV[10], tonumber(ARGV[11])
local due_at, keep_lease_ms, own_move = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14] == '1'
local rest_ms, forgives, alone_at = tonumber(ARGV[15]), ARGV[16] == '1', tonumber(ARGV[17])

local record = stored(payment)
if not record then
  return {'absent'}
end
if record.op == op then
  return {'committed', record.version, record.sequence, record.observed, redis.call('LRANGE', observations, 0, -1)}
end
if owner == '' or record.owner ~= owner then
  return {'fenced'}
end
if record.version ~= expected_version then
  return {'conflict', answer(record, observations)}
end
if own_move and record.observed > observed_seen then
  return {'news', answer(record, observations)}
end
if event ~= '' and event_sequence ~= record.sequence + 1 then
  return {'conflict', answer(record, observations)}
end

local now = now_ms()
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
redis.call('INCR', commits)
redis.call('LTRIM', observations, seen, -1)
if due_at then
  redis.call('ZADD', due, due_at, intent_id)
else
  redis.call('ZREM', due, intent_id)
end
if due_at and due_at <= now then
  redis.call('PUBLISH', bell, shard)
end
return {'committed', version, sequence, record.observed, redis.call('LRANGE', observations, 0, -1)}
