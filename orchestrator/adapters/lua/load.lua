-- The payment and its waiting observations as of one moment, or nil.
local record = stored(KEYS[1])
return record and answer(record, KEYS[2])
