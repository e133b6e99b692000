-- Fire a schedule's moment, once among all workers: only a moment later than the last one handled, and not in the future.
-- Handling it, and storing the job `sched:<name>:<moment>`, is one step. With nothing stored (a new schedule, or a Redis
-- that was emptied) a moment that was missed does not fire; one that a worker saw arrive does.
-- ARGV: name, moment ms, missed (1: found at a start), window ms, task, when, queue, payload, expires,
-- id of the job or '', next ms, the next few
-- Returns fired, early, handled, new, skipped or paused.
-- include: storing
-- include: scheduling
local name, nominal, missed, window = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local task, queue, payload, expires = ARGV[5], ARGV[7], ARGV[8], ARGV[9]
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'last', 'paused')
local last = tonumber(known[1] or -1) or -1

if nominal > now then return 'early' end
if last >= nominal then return 'handled' end
describe(name, 5, now)
redis.call('HSET', key, 'last', ARGV[2])
local not_run = known[2] and 'paused' or missed and last < 0 and 'new'
  or missed and now - nominal > window and 'skipped'
if not_run then
  if not_run ~= 'new' then
    redis.pcall('HINCRBY', key, 'skipped', 1)
    redis.call('HSET', key, 'last_skipped', ARGV[2])
  end
  return not_run
end
local id = ARGV[10] ~= '' and ARGV[10] or 'sched:' .. name .. ':' .. ARGV[2]
store(now, id, queue, payload, ARGV[2], expires, task, '', '', '', '')
wake_for_stored()
publish_events(now)
redis.call('HSET', key, 'last_run', ARGV[2], 'last_id', id)
return 'fired'
