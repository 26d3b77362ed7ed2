-- Claims one suspect of a shard, the longest known first, for a worker that has nothing else in hand.
-- The names of payments follow from the entries, so they cannot be declared; all carry the hash tag of KEYS[1].
local suspects = KEYS[1]
local prefix, valid_until = ARGV[1], tonumber(ARGV[2])
local claim = {owner = ARGV[3], lease_ms = tonumber(ARGV[4]), alone_at = tonumber(ARGV[5]), alone = true}
local now = now_ms()

if valid_until and now > valid_until then
  return {now}
end
while true do
  local name = redis.call('ZRANGE', suspects, 0, 0)[1]
  if not name then
    return {now}
  end
  -- Whoever is no suspect any more is forgotten here; the due index still has it.
  redis.call('ZREM', suspects, name)
  local merchant, intent_id = string.match(name, '^([^/]+)/(.+)$')
  local payment, due = prefix .. 'payment:' .. name, prefix .. 'due:' .. merchant
  local record = stored(payment)
  if record and not owned_by_somebody(record, now) and record.rest_until <= now
    and leases_lost(record, now, claim.alone_at) >= claim.alone_at then
    take(record, payment, due, intent_id, claim, now)
    return {now, {merchant, intent_id, answer(record, prefix .. 'observations:' .. name, known_lost_at(prefix .. 'lost'))}}
  end
end
