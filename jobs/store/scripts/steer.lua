-- What an operator says of a schedule: pause, resume, run it now, or delete it if it is stored or no worker has it. Nothing is
-- made up for what was due while it was paused.
-- ARGV: name, what
-- Returns nothing if there is no schedule of that name; for `now`, the id of the job; for `forget`, forgotten or, if a worker
-- has it, kept.
-- include: limits, unique, storing
local name, what = ARGV[1], ARGV[2]
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'task', 'queue', 'payload', 'expires', 'last', 'paused', 'id', 'seen',
  'version', 'tree', 'tree_name', 'unique')
if not known[1] then return false end

if what == 'pause' then redis.call('HSET', key, 'paused', as_text(now)) return 'paused' end
if what == 'resume' then
  if known[6] and now > (tonumber(known[5] or 0) or 0) then redis.call('HSET', key, 'last', as_text(now)) end
  redis.call('HDEL', key, 'paused')
  return 'resumed'
end
if what == 'forget' then
  if not known[9] and known[8] and now - (tonumber(known[8]) or 0) <= SCHEDULE_GONE_MS then return 'kept' end
  redis.call('DEL', key)
  redis.call('SREM', SCHEDULES, name)
  redis.call('ZREM', SCHEDULES_DUE, name)
  return 'forgotten'
end
local id = (known[7] or '') ~= '' and known[7] or 'sched:' .. name .. ':now-' .. as_text(now) -- of no moment
local tree = (known[10] or '') ~= '' and known[10] or nil
id = store_one(now, { id = id, queue = known[2], payload = known[3], task = known[1], expires = known[4], tree = tree,
  name = tree and known[11], unique = key_of(known[12]) })
publish_events(now)
redis.call('HSET', key, 'last_run', as_text(now), 'last_id', id)
return id
