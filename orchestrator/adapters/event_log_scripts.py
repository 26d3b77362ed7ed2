"""The relay's scripts. Each is repeatable, and none moves or trims for anybody but the lease's holder."""

BEAT = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - tonumber(ARGV[2]))
return redis.call('ZCARD', KEYS[1])
"""

LEAVE = "return redis.call('ZREM', KEYS[1], ARGV[1])"

HOLD = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

ADVANCE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""

# The entry at the cursor itself stays, so that whoever comes next still finds it. Whole nodes of the stream go, and
# not too many at once, because nothing else runs meanwhile.
TRIM = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local cursor = redis.call('GET', KEYS[2])
if not cursor then return 0 end
local now = redis.call('TIME')
local oldest = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[2])
local relayed = tonumber(string.match(cursor, '^%d+'))
local threshold = cursor
if oldest < relayed then threshold = string.format('%.0f', math.max(oldest, 0)) end
return redis.call('XTRIM', KEYS[3], 'MINID', '~', threshold, 'LIMIT', 10000)
"""
