-- Stores a new payment with its first event. A repeat with the same op gets the first answer.
local payment, observations, due, merchants, events, commits, tombstone, orphans, unclaimed = unpack(KEYS)
local merchant, intent_id, bell, shard = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local op, fingerprint, body, event = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local due_at, owner, lease_ms = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11])

local known = stored(payment)
if known and known.op == op then
  if owner ~= '' and known.owner == owner then
    return {'accepted', answer(known, observations)}
  end
  return {'accepted'}
end
local remembered = known and known.fingerprint or redis.call('GET', tombstone)
if remembered then
  return {remembered == fingerprint and 'known' or 'conflict'}
end

local now = now_ms()
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
redis.call('INCR', commits)
redis.call('SADD', merchants, merchant)
redis.call('ZADD', due, due_at, intent_id)
redis.call('ZREM', orphans, merchant .. '/' .. intent_id)
redis.call('ZREM', unclaimed, merchant .. '/' .. intent_id)
if owner ~= '' then
  return {'accepted', answer(stored(payment), observations)}
end
if due_at <= now then
  redis.call('PUBLISH', bell, shard)
end
return {'accepted'}
