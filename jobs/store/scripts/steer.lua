-- What an operator says of a schedule: pause, resume, run it now, or delete it if it is stored or no worker has it. Nothing is
-- made up for what was due while it was paused.
-- ARGV: name, what
-- Returns nothing if there is no schedule of that name; for `now`, the id of the job; for `forget`, forgotten or, if a worker
-- has it, kept.
-- include: limits, unique, storing, scheduled
local name, what = ARGV[1], ARGV[2]
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'task', 'last', 'paused', 'id', 'seen', 'version')
if not known[1] then return false end

if what == 'pause' then redis.call('HSET', key, 'paused', as_text(now)) return 'paused' end
if what == 'resume' then
  if known[3] and now > (tonumber(known[2] or 0) or 0) then redis.call('HSET', key, 'last', as_text(now)) end
  redis.call('HDEL', key, 'paused')
  return 'resumed'
end
if what == 'forget' then
  if not known[6] and known[5] and now - (tonumber(known[5]) or 0) <= SCHEDULE_GONE_MS then return 'kept' end
  redis.call('DEL', key)
  redis.call('SREM', SCHEDULES, name)
  redis.call('ZREM', SCHEDULES_DUE, name)
  return 'forgotten'
end
local id = (known[4] or '') ~= '' and known[4] or 'sched:' .. name .. ':now-' .. as_text(now) -- of no moment
id = run_schedule(key, id, nil, now)
publish_events(now)
return id
