-- Fire a schedule's moment, once among all workers: only a moment later than the last one handled, and not in the future.
-- Handling it, and storing the job `sched:<name>:<moment>`, is one step. With nothing stored (a new schedule, or a Redis
-- that was emptied) a moment that was missed does not fire; one that a worker saw arrive does.
-- ARGV: name, moment ms, missed (1: found at a start), window ms, queue, payload, expires, task, id of the job or ''
-- Returns fired, early, handled, new, skipped or paused.
-- include: storing
local name, nominal, missed, window = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local queue, payload, expires, task = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'last', 'paused')
local last = tonumber(known[1] or -1)

if nominal > now then return 'early' end
if last >= nominal then return 'handled' end
redis.call('SADD', SCHEDULES, name)
redis.call('HSET', key, 'last', nominal)
if known[2] then
  redis.call('HINCRBY', key, 'skipped', 1)
  return 'paused'
end
if missed and last < 0 then return 'new' end
if missed and now - nominal > window then
  redis.call('HINCRBY', key, 'skipped', 1)
  redis.call('HSET', key, 'last_skipped', nominal)
  return 'skipped'
end
local id = ARGV[9] ~= '' and ARGV[9] or 'sched:' .. name .. ':' .. ARGV[2]
store(now, id, queue, payload, ARGV[2], expires, task, '', '', '', '')
wake_for_stored()
redis.call('HSET', key, 'last_run', nominal, 'last_id', id)
return 'fired'
