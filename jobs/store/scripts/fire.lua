-- Fire a schedule's moment, once among all workers: only a moment later than the last one handled, and not in the future.
-- Handling it, and storing the job `sched:<name>:<moment>`, is one step. With nothing stored (a new schedule, or a Redis
-- that was emptied) a moment that was missed does not fire; one that a worker saw arrive does.
-- A worker declares its schedules at its start, and once a minute: from the first time on, and not from before, their
-- moments count as missed. What Redis knows of them is enough to list them, and to run them now without asking a worker.
-- One of arq's own has no words, and the id that arq gives it. A stock worker enqueues it a second ahead: then a worker of ours
-- runs it, and there is a record; or a stock one does, and keeps the in-progress key for a minute.
-- ARGV: name, moment ms, how (due; missed: found at a start; declared: nothing fires), window ms, task, when (in words),
--   queue, payload, expires, id of the job or '', next ms, the next few
-- Returns fired, early, handled, declared, new, skipped or paused.
-- include: storing
local name, nominal, how, window = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local task, when, queue, payload, expires, given_id, next_ms, coming = unpack(ARGV, 5)
local key = SCHEDULE .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'last', 'paused')
local last = tonumber(known[1] or -1) or -1

if how ~= 'declared' then
  if nominal > now then return 'early' end
  if last >= nominal then return 'handled' end
end
redis.call('SADD', SCHEDULES, name)
redis.call('HSET', key, 'task', task, 'when', when, 'queue', queue, 'payload', payload, 'expires', expires,
  'id', given_id, 'next', next_ms, 'coming', coming, 'seen', as_text(now))
if how == 'declared' then
  redis.call('HSETNX', key, 'last', ARGV[2])
  return 'declared'
end
redis.call('HSET', key, 'last', ARGV[2])
local not_run = known[2] and 'paused' or how == 'missed' and last < 0 and 'new'
  or how == 'missed' and now - nominal > window and 'skipped'
if not_run then
  if not_run ~= 'new' then
    redis.pcall('HINCRBY', key, 'skipped', 1)
    redis.call('HSET', key, 'last_skipped', ARGV[2])
  end
  return not_run
end
local id = given_id ~= '' and given_id or (when == '' and '' or 'sched:') .. name .. ':' .. ARGV[2]
if when == '' and given_id == '' and redis.call('EXISTS', IN_PROGRESS .. id, RECORD .. id) > 0 then return 'handled' end
store(now, { { id = id, queue = queue, payload = payload, task = task, due = ARGV[2], expires = expires } })
publish_events(now)
redis.call('HSET', key, 'last_run', ARGV[2], 'last_id', id)
return 'fired'
