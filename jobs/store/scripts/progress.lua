-- Store what a running job says of its progress, if its token still owns it, and tell those who follow it.
-- ARGV: id, token, meta   Returns 1, or 0 if the job belongs to another worker now.
local id, token, meta = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', RECORD .. id, 'owner') ~= token then return 0 end
redis.call('HSET', RECORD .. id, 'meta', meta)
redis.pcall('PUBLISH', PROGRESS .. id, meta)
return 1
