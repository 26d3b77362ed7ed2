-- The payment and its waiting observations as of one moment, or nil.
local record = stored(KEYS[1])
return record and answer(record, KEYS[2], known_lost_at(KEYS[10]))
