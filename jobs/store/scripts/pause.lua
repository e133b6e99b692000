-- Pause a queue: nothing of it is claimed until it is resumed; what runs goes on, and calls are still stored.
-- ARGV: queue, 1 to pause it or 0 to resume it   Returns 1 if that changed anything.
-- flags: allow-oom
local queue, pausing = ARGV[1], ARGV[2] == '1'
if pausing then return redis.call('SADD', PAUSED, queue) end
local changed = redis.call('SREM', PAUSED, queue)
wake(queue)
return changed
