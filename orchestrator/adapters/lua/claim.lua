-- Claims due payments of one shard: merchants take turns, each gives its longest due first.
-- The names of the due indexes and payments follow from the shard's merchants, so they cannot be declared;
-- all of them carry the hash tag of KEYS[1].
local prefix, owner, lease_ms, limit, alone_at = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = now_ms()

local function key(kind, merchant, intent_id)
  return prefix .. kind .. ':' .. merchant .. (intent_id and '/' .. intent_id or '')
end

local queues = {}
for _, merchant in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local ids = redis.call('ZRANGE', key('due', merchant), '-inf', now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
  if #ids > 0 then
    queues[#queues + 1] = {merchant = merchant, ids = ids, oldest = tonumber(ids[2])}
  end
end
table.sort(queues, function(one, other)
  if one.oldest ~= other.oldest then
    return one.oldest < other.oldest
  end
  return one.merchant < other.merchant
end)

-- An entry without a payment, or of a live owner, is not due: the index is put right and the entry passed over.
local function candidate(merchant, intent_id)
  local payment = key('payment', merchant, intent_id)
  local record = stored(payment)
  if not record then
    redis.call('ZREM', key('due', merchant), intent_id)
  elseif owned_by_somebody(record, now) then
    redis.call('ZADD', key('due', merchant), record.owned_until, intent_id)
  else
    return {merchant = merchant, intent_id = intent_id, payment = payment, record = record}
  end
end

-- A payment whose leases keep running out may be what kills its workers: it takes nothing down with it.
local function suspect(record)
  return record.claims + (record.owner ~= '' and 1 or 0) >= alone_at
end

local batch = {}
local function fill()
  for turn = 1, limit do
    local left = false
    for _, queue in ipairs(queues) do
      local intent_id = queue.ids[2 * turn - 1]
      local found = intent_id and candidate(queue.merchant, intent_id)
      left = left or intent_id
      if found and suspect(found.record) then
        batch = {found}
        return
      elseif found then
        batch[#batch + 1] = found
      end
      if #batch == limit then
        return
      end
    end
    if not left then
      return
    end
  end
end
fill()

local claimed = {}
for position, found in ipairs(batch) do
  local due = key('due', found.merchant)
  local record = take(found.record, found.payment, due, found.intent_id, owner, lease_ms, now)
  claimed[position] = {found.merchant, found.intent_id,
    answer(record, key('observations', found.merchant, found.intent_id))}
end
return claimed
