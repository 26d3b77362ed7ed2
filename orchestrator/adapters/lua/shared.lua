-- Prefixed to every script. Times are Redis TIME in milliseconds; no script ever reads a body.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The stored payment, or nil. No owner is '' and 0.
local function stored(payment)
  local fields = redis.call('HMGET', payment, 'version', 'sequence', 'observed', 'claims',
    'fingerprint', 'owner', 'owned_until', 'body', 'op', 'rests', 'rest_until', 'alone')
  if not fields[1] then
    return nil
  end
  return {
    version = tonumber(fields[1]),
    sequence = tonumber(fields[2]),
    observed = tonumber(fields[3]),
    claims = tonumber(fields[4]),
    fingerprint = fields[5],
    owner = fields[6],
    owned_until = tonumber(fields[7]),
    body = fields[8],
    op = fields[9],
    rests = tonumber(fields[10] or 0),
    rest_until = tonumber(fields[11] or 0),
    alone = fields[12] == '1',
  }
end

-- The payment as it goes to the caller; redis_store._record reads this order.
local function answer(record, observations, lost_at)
  return {record.version, record.sequence, record.observed, record.claims, record.fingerprint,
    record.owner, record.owned_until, record.body, redis.call('LRANGE', observations, 0, -1), record.rests, lost_at}
end

-- When this shard last lost writes that somebody had been told of, or 0, and how many commits it counts. A counter
-- that is lower than a caller saw it tells that it happened: that is kept for everybody, and the counter goes on from
-- what was seen.
local function tail_lost_at(commits, lost, seen, now)
  local fields = redis.call('MGET', commits, lost)
  local count = tonumber(fields[1] or 0)
  if count >= seen then
    return tonumber(fields[2] or 0), count
  end
  redis.call('MSET', commits, seen, lost, now)
  return now, seen
end

local function known_lost_at(lost)
  return tonumber(redis.call('GET', lost) or 0)
end

local function owned_by_somebody(record, now)
  return record.owner ~= '' and record.owned_until > now
end

-- The leases that ran out, the present one included; one that was handed back left no owner behind.
-- From `alone_at` on the payment is a suspect, and only a lease that ran out while its worker had nothing else in
-- hand counts on: a worker dies with the innocent too.
local function leases_lost(record, now, alone_at)
  if record.owner == '' or record.owned_until > now then
    return record.claims
  elseif record.alone then
    return record.claims + 1
  end
  return math.max(record.claims, math.min(record.claims + 1, alone_at))
end

-- Says whether the owner has nothing else in hand; written only where it changes.
local function mark_alone(record, payment, alone)
  if alone and not record.alone then
    redis.call('HSET', payment, 'alone', 1)
  elseif record.alone and not alone then
    redis.call('HDEL', payment, 'alone')
  end
end

-- The payments of a merchant that something was heard of since their last turn, beside its due index.
local function heard_beside(due)
  return (string.gsub(due, '}:due:', '}:heard:', 1))
end

-- Writes the claim into the hash and the due index and returns the record as it is then.
local function take(record, payment, due, intent_id, claim, now)
  record.claims = leases_lost(record, now, claim.alone_at)
  record.owner = claim.owner
  record.owned_until = now + claim.lease_ms
  redis.call('HSET', payment, 'owner', claim.owner, 'owned_until', record.owned_until, 'claims', record.claims)
  mark_alone(record, payment, claim.alone)
  if record.rest_until > 0 then
    redis.call('HDEL', payment, 'rest_until')
  end
  redis.call('ZADD', due, record.owned_until, intent_id)
  redis.call('ZREM', heard_beside(due), intent_id)
  return record
end

-- A payment that cannot be advanced rests until then; tried again it is at most a suspect.
local function put_aside(record, payment, rest_until, alone_at)
  redis.call('HSET', payment, 'claims', math.min(record.claims, alone_at), 'rests', record.rests + 1,
    'rest_until', rest_until)
end

-- A payment that was advanced is no suspect any more.
local function forgive(record, payment)
  if record.claims > 0 then
    redis.call('HSET', payment, 'claims', 0)
  end
  if record.rests > 0 then
    redis.call('HDEL', payment, 'rests')
  end
end
