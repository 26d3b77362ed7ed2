-- Stores a new payment with its first event. A repeat with the same op gets the first answer.
local payment, observations, due, merchants, events, commits, tombstone, orphans, unclaimed, lost = unpack(KEYS)
local merchant, intent_id, bell, shard = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local op, fingerprint, body, event = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local due_at, owner, lease_ms, commits_seen = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12])

local now = now_ms()
local known = stored(payment)
local lost_at, count = tail_lost_at(commits, lost, commits_seen, now)
local function told(outcome, record)
  return {outcome, count, lost_at, record}
end
if known and known.op == op then
  return told('accepted', owner ~= '' and known.owner == owner and answer(known, observations, lost_at) or nil)
end
local remembered = known and known.fingerprint or redis.call('GET', tombstone)
if remembered then
  return told(remembered == fingerprint and 'known' or 'conflict')
end

local waiting = redis.call('LLEN', observations)
local owned_until = 0
if owner ~= '' then
  owned_until = now + lease_ms
  due_at = owned_until
elseif waiting > 0 and due_at > now then
  due_at = now
end
redis.call('HSET', payment, 'version', 1, 'sequence', 1, 'op', op, 'observed', waiting, 'claims', 0,
  'owner', owner, 'owned_until', owned_until, 'fingerprint', fingerprint, 'body', body)
redis.call('XADD', events, '*', 'event', event)
count = redis.call('INCR', commits)
redis.call('SADD', merchants, merchant)
redis.call('ZADD', due, due_at, intent_id)
if waiting > 0 and owner == '' then
  redis.call('ZADD', heard_beside(due), 'NX', now, intent_id)
end
redis.call('ZREM', orphans, merchant .. '/' .. intent_id)
redis.call('ZREM', unclaimed, merchant .. '/' .. intent_id)
if owner ~= '' then
  return told('accepted', answer(stored(payment), observations, lost_at))
end
if due_at <= now then
  redis.call('PUBLISH', bell, shard)
end
return told('accepted')
