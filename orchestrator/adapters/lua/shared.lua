-- Prefixed to every script. Times are Redis TIME in milliseconds; no script ever reads a body.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The stored payment, or nil. No owner is '' and 0.
local function stored(payment)
  local fields = redis.call('HMGET', payment, 'version', 'sequence', 'observed', 'claims',
    'fingerprint', 'owner', 'owned_until', 'body', 'op')
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
  }
end

-- The payment as it goes to the caller; redis_store._record reads this order.
local function answer(record, observations)
  return {record.version, record.sequence, record.observed, record.claims, record.fingerprint,
    record.owner, record.owned_until, record.body, redis.call('LRANGE', observations, 0, -1)}
end

local function owned_by_somebody(record, now)
  return record.owner ~= '' and record.owned_until > now
end

-- Writes the claim into the hash and the due index and returns the record as it is then.
-- A lease that ran out is counted; a lease that was handed back left no owner behind.
local function take(record, payment, due, intent_id, owner, lease_ms, now)
  if record.owner ~= '' and record.owned_until <= now then
    record.claims = record.claims + 1
  end
  record.owner = owner
  record.owned_until = now + lease_ms
  redis.call('HSET', payment, 'owner', owner, 'owned_until', record.owned_until, 'claims', record.claims)
  redis.call('ZADD', due, record.owned_until, intent_id)
  return record
end
