-- The time of a wait for an event is up: unless an event has its place, the time-out takes it.
-- ARGV: id, token, the place, entry of a time-out   Returns what has the place, or LOST.
-- flags: allow-oom
local id, token, place, entry = unpack(ARGV)
if redis.call('HGET', RECORD .. id, 'owner') ~= token then return -1 end
redis.call('HSETNX', JOURNAL .. id, place, entry)
return redis.call('HGET', JOURNAL .. id, place)
