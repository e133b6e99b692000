-- What an operator says of a schedule: pause, resume, run it now, or forget it if no worker has it. Nothing is made up for
-- what was due while it was paused.
-- ARGV: name, what
-- Returns nothing if no worker has ever declared a schedule of that name; for `now`, the id of the job; for `forget`,
-- forgotten or, if a worker has it, kept.
-- include: storing
local name, what = ARGV[1], ARGV[2]
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'task', 'queue', 'payload', 'expires', 'last', 'paused', 'id', 'seen')
if not known[1] then return false end

if what == 'pause' then redis.call('HSET', key, 'paused', as_text(now)) return 'paused' end
if what == 'resume' then
  if known[6] and now > (tonumber(known[5] or 0) or 0) then redis.call('HSET', key, 'last', as_text(now)) end
  redis.call('HDEL', key, 'paused')
  return 'resumed'
end
if what == 'forget' then
  if known[8] and now - (tonumber(known[8]) or 0) <= SCHEDULE_GONE_MS then return 'kept' end
  redis.call('DEL', key)
  redis.call('SREM', SCHEDULES, name)
  return 'forgotten'
end
local id = known[7] ~= '' and known[7] or 'sched:' .. name .. ':now:' .. as_text(now)
store(now, { { id = id, queue = known[2], payload = known[3], task = known[1], expires = known[4] } })
publish_events(now)
redis.call('HSET', key, 'last_run', as_text(now), 'last_id', id)
return id
