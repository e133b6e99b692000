-- What an operator says of a group of failed attempts, see grouping.lua.
-- ARGV: group, its state, above   Returns 1; 0 if there is no such group.
-- flags: allow-oom
local key = ERROR .. ARGV[1]
if redis.call('TYPE', key).ok ~= 'hash' then return 0 end
redis.call('HSET', key, 'state', ARGV[2], 'above', ARGV[3])
return redis.call('HDEL', key, 'came_back') and 1
