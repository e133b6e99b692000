-- Note whether a job runs alone on its worker, if it still belongs to this token. See note_lapse in claim.lua.
-- ARGV: id, token, 1 alone or 0 not
-- flags: allow-oom
local key = RECORD .. ARGV[1]
if redis.call('HGET', key, 'owner') ~= ARGV[2] then return 0 end
if ARGV[3] == '1' then redis.call('HSET', key, 'alone', 1) else redis.call('HDEL', key, 'alone') end
return 1
