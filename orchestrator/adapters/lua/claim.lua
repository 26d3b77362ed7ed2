-- Claims due payments of one shard: merchants take turns, each gives its longest due first. Suspects are set aside.
-- A merchant on a ration gives no more than that, and those that something was heard of: they may need no call.
-- The names of the due indexes and payments follow from the shard's merchants, so they cannot be declared;
-- all of them carry the hash tag of KEYS[1].
local merchants, suspects, commits, lost = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, valid_until, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local claim = {owner = ARGV[3], lease_ms = tonumber(ARGV[4]), alone_at = tonumber(ARGV[5])}
local commits_seen = tonumber(ARGV[7])
local UNREADABLE_MS = 60000
local now = now_ms()
local lost_at, count = tail_lost_at(commits, lost, commits_seen, now)
local unreadable, rations = {}, {}
for position = 8, #ARGV, 2 do
  rations[ARGV[position]] = tonumber(ARGV[position + 1])
end

local function told(claimed)
  return {now, claimed, count, lost_at, unreadable}
end

-- Redis stood still and whoever asked has given up: what would be claimed now, nobody would know of.
if valid_until and now > valid_until then
  return told({})
end

local function key(kind, merchant, intent_id)
  return prefix .. kind .. ':' .. merchant .. (intent_id and '/' .. intent_id or '')
end

local function due_of(merchant)
  local due, ids, oldest, known = key('due', merchant), {}, now, {}
  local function add(name, most)
    local found = redis.call('ZRANGE', name, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
    for position = 1, #found, 2 do
      if not known[found[position]] then
        known[found[position]] = true
        ids[#ids + 1] = found[position]
        oldest = math.min(oldest, tonumber(found[position + 1]))
      end
    end
  end
  if rations[merchant] then
    add(heard_beside(due), limit)
  end
  add(due, math.min(limit, rations[merchant] or limit))
  return ids, oldest
end

local queues = {}
for _, merchant in ipairs(redis.call('SMEMBERS', merchants)) do
  local ids, oldest = due_of(merchant)
  if #ids > 0 then
    queues[#queues + 1] = {merchant = merchant, ids = ids, oldest = oldest}
  end
end
table.sort(queues, function(one, other)
  if one.oldest ~= other.oldest then
    return one.oldest < other.oldest
  end
  return one.merchant < other.merchant
end)

-- Raises where a name holds something else than it should.
local function read(payment, observations)
  redis.call('LLEN', observations)
  return stored(payment)
end

-- What cannot be read stops only itself: it stays as it is, and is met again in a while.
-- An entry without a payment, or of a live owner, is not due: the index is put right and the entry passed over.
-- So is a suspect, which may be what kills its workers: claim_alone finds it, and here it is met again in a while.
local function candidate(merchant, intent_id)
  local payment, due = key('payment', merchant, intent_id), key('due', merchant)
  redis.call('ZREM', heard_beside(due), intent_id)
  local is_readable, record = pcall(read, payment, key('observations', merchant, intent_id))
  if not is_readable then
    unreadable[#unreadable + 1] = merchant .. '/' .. intent_id
    redis.call('ZADD', due, now + UNREADABLE_MS, intent_id)
  elseif not record then
    redis.call('ZREM', due, intent_id)
  elseif owned_by_somebody(record, now) then
    redis.call('ZADD', due, record.owned_until, intent_id)
  elseif leases_lost(record, now, claim.alone_at) >= claim.alone_at then
    redis.call('ZADD', suspects, 'NX', now, merchant .. '/' .. intent_id)
    redis.call('ZADD', due, now + claim.lease_ms, intent_id)
  else
    return {merchant = merchant, intent_id = intent_id, payment = payment, due = due, record = record}
  end
end

local batch = {}
local function fill()
  for turn = 1, 2 * limit do
    local left = false
    for _, queue in ipairs(queues) do
      local intent_id = queue.ids[turn]
      local found = intent_id and candidate(queue.merchant, intent_id)
      left = left or intent_id
      if found then
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
  local record = take(found.record, found.payment, found.due, found.intent_id, claim, now)
  claimed[position] = {found.merchant, found.intent_id,
    answer(record, key('observations', found.merchant, found.intent_id), lost_at)}
end
return told(claimed)
