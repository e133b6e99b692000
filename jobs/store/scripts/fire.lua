-- Fire moments of schedules, each once among all workers: only a moment later than the last one handled, and not in the
-- future. Handling it, and storing the job `sched:<name>:<moment>`, is one step.
-- Of one that workers declare: with nothing stored (a new schedule, or a Redis that was emptied) a moment that was missed does
-- not fire; one that a worker saw arrive does. A worker declares its schedules at its start, and once a minute: from the first
-- time on, and not from before, their moments count as missed. What Redis knows of them is enough to list them, and to run them
-- now without asking a worker. One of arq's own has no words, and the id that arq gives it. A stock worker enqueues it a second
-- ahead: then a worker of ours runs it, and there is a record; or a stock one does, and keeps the in-progress key for a minute.
-- ARGV: how (due; missed: found at a start; declared: nothing fires), then name, moment ms, window ms, task, when (in words),
--   queue, payload, expires, id of the job or '', next ms, the next few, its key, packed, or '' (see unique.lua)
-- Of those that are stored: a moment fires if nobody has changed the schedule, or handled a moment, since it was looked at.
-- With overlap `cancel` the last run is revoked by the script that fires the next one, and only then.
-- ARGV: stored, result ttl ms, history kept, then of each its name, version, the last moment, the moment or '' (none is due), when
--   to look at it again; and for `cancel`, else '': the id of the last run, and its result fields as revoke.lua takes them, all 6
-- Returns for each fired, early, handled, declared, new, stored; or why not: skipped, paused, overlaps or waits.
-- include: limits, unique, storing, scheduled
local UNREADABLE_MS = 3600000
local AT_ONCE_MS = 60000 -- a look that is no later has missed nothing
local how = ARGV[1]
local now = now_ms()

local function pass_over(key, moment, why)
  redis.pcall('HINCRBY', key, 'skipped', 1)
  redis.call('HSET', key, 'last_skipped', moment, 'why_skipped', why)
  return why
end

local function declared(name, moment, window, task, when, queue, payload, expires, given_id, next_ms, coming, unique)
  local key, nominal = SCHEDULE .. name, tonumber(moment)
  local known = redis.call('HMGET', key, 'last', 'paused', 'version')
  local last = tonumber(known[1] or -1) or -1
  if known[3] then return 'stored' end
  if how ~= 'declared' then
    if nominal > now then return 'early' end
    if last >= nominal then return 'handled' end
  end
  redis.call('SADD', SCHEDULES, name)
  redis.call('HSET', key, 'task', task, 'when', when, 'queue', queue, 'payload', payload, 'expires', expires,
    'id', given_id, 'next', next_ms, 'coming', coming, 'seen', as_text(now),
    'unique', unique)
  if how == 'declared' then
    redis.call('HSETNX', key, 'last', moment)
    return 'declared'
  end
  redis.call('HSET', key, 'last', moment)
  if how == 'missed' and last < 0 and not known[2] then return 'new' end
  if known[2] then return pass_over(key, moment, 'paused') end
  if how == 'missed' and now - nominal > tonumber(window) then return pass_over(key, moment, 'skipped') end
  local id = given_id ~= '' and given_id or (when == '' and '' or 'sched:') .. name .. ':' .. moment
  if when == '' and given_id == '' and redis.call('EXISTS', IN_PROGRESS .. id, RECORD .. id) > 0 then return 'handled' end
  local call = { id = id, queue = queue, payload = payload, task = task, due = moment, expires = expires, unique = key_of(unique) }
  redis.call('HSET', key, 'last_run', moment, 'last_id', store_one(now, call))
  return 'fired'
end

-- It waits at most as long again as a tenth of what it has waited.
local function wait_for_last(name, key, nominal)
  redis.call('HSET', key, 'waits', as_text(nominal))
  redis.call('ZADD', SCHEDULES_DUE, now + math.min(math.max(math.floor((now - nominal) / 10), 1000), 30000), name)
  return 'waits'
end

local function cancel(id, rest)
-- include: counting, ending, revoking
  revoke(id, rest, '1', 6, tonumber(ARGV[2]), now)
  settle_endings()
  write_counters(now)
  trim_history(tonumber(ARGV[3]))
  tell_waiters()
end

local function fire(name, key, moment, rest)
  local known = redis.call('HMGET', key, 'paused', 'waits', 'window', 'overlap', 'last_id', 'jitter')
  local window = math.max(tonumber(known[3]) or 0, AT_ONCE_MS) + (tonumber(known[6]) or 0)
  local late = not known[2] and now - tonumber(moment) > window
  local why = known[1] and 'paused' or late and 'skipped'
  if not why and known[5] and redis.call('EXISTS', JOB .. known[5]) == 1 then
    if known[4] == 'queue' then return wait_for_last(name, key, tonumber(moment)) end
    why = known[4] == 'skip' and 'overlaps'
  end
  if not why then
    if rest ~= '' then cancel(known[5], rest) end
    run_schedule(key, 'sched:' .. name .. ':' .. moment, moment, now)
  end
  redis.call('HSET', key, 'last', moment)
  redis.call('HDEL', key, 'waits')
  return why and pass_over(key, moment, why) or 'fired'
end

local function stored(name, version, last, moment, again, last_id, rest)
  local key = SCHEDULE .. name
  local known = redis.call('HMGET', key, 'version', 'last', 'last_id')
  if known[1] ~= version or known[2] ~= last then return 'handled' end
  if last_id ~= '' and known[3] ~= last_id then return 'handled' end -- somebody has run it meanwhile
  local early = moment == '' or tonumber(moment) > now
  redis.call('ZADD', SCHEDULES_DUE, early and moment ~= '' and moment or again, name)
  return early and 'early' or fire(name, key, moment, rest)
end

-- What is wrong with one keeps no other: it is looked at again after a while. What is wrong with the server is for all.
local function safely(name, ...)
  local fine, answer = pcall(stored, name, ...)
  if fine then return answer end
  answer = type(answer) == 'table' and answer.err or tostring(answer)
  local code = answer:match('^(%u+) ')
  if code and code ~= 'ERR' and code ~= 'WRONGTYPE' then error(answer, 0) end
  redis.call('ZADD', SCHEDULES_DUE, now + UNREADABLE_MS, name)
  return answer
end

local answers = {}
if how == 'stored' then
  for i = 4, #ARGV, 7 do answers[#answers + 1] = safely(unpack(ARGV, i, i + 6)) end
else
  answers[1] = declared(unpack(ARGV, 2))
end
publish_events(now)
return answers
