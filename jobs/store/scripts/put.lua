-- Store a schedule, or change it. With the same moments as before, the one that is due stays due; with others, they count
-- from now on. Sent twice it changes nothing. The next look finds when it is due; workers that wait are woken for that.
-- ARGV: name, version, when, jitter, then more fields and their values
-- Returns ms now, or nothing if a worker declares a schedule of that name.
local name, version, when, jitter = unpack(ARGV, 1, 4)
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'task', 'version', 'when', 'seen', 'last')

if known[1] and not known[2] then
  if now - (tonumber(known[4]) or 0) <= SCHEDULE_GONE_MS then return false end
  redis.call('DEL', key) -- no worker has it any more
  redis.call('SREM', SCHEDULES, name)
end
if not known[2] or known[3] ~= when or not known[5] then
  redis.call('HSET', key, 'last', as_text(now))
  redis.call('HDEL', key, 'waits')
end
redis.call('HSET', key, 'version', version, 'when', when, 'jitter', jitter, unpack(ARGV, 5))
local head = redis.call('ZRANGE', SCHEDULES_DUE, 0, 0, 'WITHSCORES')
redis.call('ZADD', SCHEDULES_DUE, now, name)
if not head[2] or tonumber(head[2]) > now then redis.pcall('PUBLISH', CONTROL, 'schedules') end
return as_text(now)
