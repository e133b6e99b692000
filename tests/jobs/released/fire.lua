local PREFIX = ''
-- Before every script: the time, and what several scripts say about queues.

local microseconds, real_ms -- of the millisecond that now_ms() returned; that one without what a test adds: keys end by it
local events -- what is published at the end; false while nobody listens

-- Milliseconds by Redis' own clock: the only clock that any script reads.
local function now_ms()
  local time, set = redis.call('TIME'), redis.call('MGET', 'jobs:test:clock', 'jobs:listening')
  local micros = tonumber(time[2])
  microseconds, events = micros % 1000, set[2] and {}
  real_ms = time[1] * 1000 + math.floor(micros / 1000)
  return real_ms + (tonumber(set[1] or 0) or 0)
end

-- A key of ours, or of arq's, that is no queue: no name makes a queue of one.
local function is_ours(key)
  if key == 'arq:abort' then return true end
  for _, own in ipairs({ 'jobs:', 'arq:job:', 'arq:in-progress:', 'arq:retry:', 'arq:result:' }) do
    if key:sub(1, #own) == own then return true end
  end
  return false
end

local function queue_key(name)
  if not name or name == 'default' then return 'arq:queue' end
  local key = name:sub(1, 1) == '=' and PREFIX .. name:sub(2)
  if key and not is_ours(key) then return key end
  return 'arq:queue' .. ':' .. name
end

-- Put a job that another one's end calls in its queue. Its record may name any queue: the end must not fail for that.
local function call_job(id, queue, score) redis.pcall('ZADD', queue_key(queue), score, id) end

-- A moment between 1970 and LAST_MS. A score may be any number, infinite too; a number may come from an earlier release.
local function as_moment(ms)
  if ms ~= ms then return 253402300799000 end
  return math.min(math.max(ms, 0), 253402300799000)
end

-- A moment given as '' or nil (none), '+n' (n ms from now) or 'n' (ms since the epoch). No other text: then nothing is written.
local function moment(text, now)
  if not text or text == '' then return false end
  local relative = text:sub(1, 1) == '+'
  local ms = tonumber(relative and text:sub(2) or text)
  if not ms then error('not a moment: ' .. text) end
  return as_moment(relative and now + ms or ms)
end

-- One token is enough: the worker that takes it claims all it can, and pushes the next if something stays behind.
local function wake(queue) if redis.call('LLEN', 'jobs:wake:' .. queue) == 0 then redis.call('LPUSH', 'jobs:wake:' .. queue, 1) end end

-- Numbers as text once: redis.call() would format them anew each time.
local texts = {}
local function as_text(ms)
  texts[ms] = texts[ms] or string.format('%d', ms)
  return texts[ms]
end

-- One command for many keys or members, as many as Lua can unpack at once.
local function in_bulk(command, key, items)
  for i = 1, #items, 1000 do
    local last = math.min(i + 999, #items)
    if key then redis.call(command, key, unpack(items, i, last)) else redis.call(command, unpack(items, i, last)) end
  end
end

-- Add an item, or two, to one of several lists.
local function add_to(lists, key, item, other)
  local list = lists[key] or {}
  lists[key] = list
  list[#list + 1] = item
  list[#list + 1] = other
end

local function is_terminal(state) return state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' end

-- A job that had ended begins again, or is forgotten: it is in no index any more.
local function unlist(id)
  redis.call('ZREM', 'jobs:ended:' .. (redis.call('HGET', 'jobs:job:' .. id, 'task') or '?'), id)
  redis.call('ZREM', 'jobs:history', id)
  redis.call('ZREM', 'jobs:unsuccessful', id)
end

local function forget_record(id)
  unlist(id)
  return redis.call('UNLINK', 'jobs:job:' .. id)
end

-- What happens to jobs is published in one message for each script, and only while somebody listens.
local function note_event(id, state, task, queue, worker)
  if events then events[#events + 1] = { id, state, task or '', queue or '', worker or '' } end
end

local function publish_events(now)
  if events and events[1] then redis.pcall('PUBLISH', 'jobs:events', cmsgpack.pack({ as_text(now), events })) end
end

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
-- What storing a call is: its payload, its record and its place in the queue, unless its id is taken.

-- A member of a workflow that an earlier release has stored may have the id of a job that was called by itself: neither
-- of the two is taken for the other.
local TAKEN, STORED, REFUSED, CLASH = 0, 1, 2, 3

local function same_or_clash(other_parent, parent) return (other_parent or '') == parent and TAKEN or CLASH end

-- Is there nothing of any of these ids? One question for all of them: only if there is something is each looked at.
local function all_are_new(calls)
  local keys = {}
  for i, call in ipairs(calls) do
    keys[3 * i - 2], keys[3 * i - 1], keys[3 * i] = 'arq:job:' .. call.id, 'arq:result:' .. call.id, 'jobs:job:' .. call.id
  end
  for i = 1, #keys, 1000 do
    if redis.call('EXISTS', unpack(keys, i, math.min(i + 999, #keys))) > 0 then return false end
  end
  return true
end

-- Is this the id of a job, or of a result that has not ended? TAKEN, CLASH, or nothing if it is free. A member's end
-- is in the journal of its workflow: what else there is of its id was left by an earlier life of that workflow.
local function taken(id, parent, path, now)
  if redis.call('EXISTS', 'arq:job:' .. id) == 1 then
    return same_or_clash(redis.call('HGET', 'jobs:job:' .. id, 'parent'), parent)
  end
  if parent ~= '' and redis.call('HEXISTS', 'jobs:journal:' .. parent, path) == 1 then return TAKEN end
  if parent == '' and redis.call('EXISTS', 'arq:result:' .. id) == 1 then return TAKEN end
  local record = redis.call('HMGET', 'jobs:job:' .. id, 'until', 'state', 'parent')
  if record[1] and (tonumber(record[1]) or 0) > now then
    local answer = same_or_clash(record[3], parent)
    if parent == '' or answer == CLASH then return answer end
  end
  if record[1] or record[2] then -- an earlier life of this id
    forget_record(id)
    redis.call('UNLINK', 'arq:result:' .. id)
  end
end

-- A member whose end is in the journal is TAKEN. All members of a workflow that is not there any more, or was revoked, are
-- REFUSED; *refused*: is that so, of the workflows that were looked at.
local function answer_of_workflow(call, refused)
  local parent = call.parent
  if redis.call('HEXISTS', 'jobs:journal:' .. parent, call.path) == 1 then return TAKEN end
  if refused[parent] == nil then
    refused[parent] = redis.call('EXISTS', 'arq:job:' .. parent) == 0 or redis.call('HEXISTS', 'jobs:job:' .. parent, 'revoked') == 1
  end
  if refused[parent] then return REFUSED end
end

-- Write what a workflow has besides; in its record, `tree` is its name, or 1 in those of earlier releases. The list of workflows
-- holds those whose record is there: each that comes takes away the oldest if theirs is not.
local function store_tree(id, tree, name, now)
  redis.call('HSET', 'jobs:job:' .. id, 'tree', name or 1)
  redis.call('SET', 'jobs:tree:' .. id, tree)
  redis.call('UNLINK', 'jobs:journal:' .. id)
  redis.call('ZADD', 'jobs:workflows', now, id)
  for _, oldest in ipairs(redis.call('ZRANGE', 'jobs:workflows', 0, 1)) do
    if redis.call('EXISTS', 'jobs:job:' .. oldest) == 0 then redis.call('ZREM', 'jobs:workflows', oldest) end
  end
end

-- The call that the CALL_WORDS from ARGV[i] on are: id, queue, payload, task, and a packed map of what else it has, or '':
-- due, expires, parent (the workflow that it is a member of), path (its place there), tree (its own) and name (of a workflow).
local function read_call(i, reply)
  local id, queue, payload, task, more = unpack(ARGV, i, i + 5 - 1)
  local call = { id = id, queue = queue, payload = payload, task = task, reply = reply }
  if more ~= '' then
    for name, value in pairs(cmsgpack.unpack(more)) do call[name] = value end
  end
  return call
end

-- The queue after what may meet a key of another type, and payloads last: a call refused for that is not claimed, nor TAKEN.
local function store_line(queue, line, now)
  local at = as_text(now)
  for _, call in ipairs(line.calls) do
    local id, key = call.id, 'jobs:job:' .. call.id
    local due = as_text(call.due)
    if call.parent then -- its workflow hears of its end; who else waits for it says so, see read.lua
      redis.call('HSET', key, 'task', call.task, 'queue', queue, 'enqueued', at, 'due', due, 'parent', call.parent, 'path', call.path)
    else
      redis.call('HSET', key, 'task', call.task, 'queue', queue, 'enqueued', at, 'due', due, 'reply', call.reply or '')
    end
    if call.expires then redis.call('HSET', key, 'expires', call.expires) end
    if call.tree then store_tree(id, call.tree, call.name, now) end
    note_event(id, 'PENDING', call.task, queue)
  end
  redis.call('SADD', 'jobs:queues', queue)
  in_bulk('ZADD', queue_key(queue), line.places)
  in_bulk('MSET', nil, line.payloads)
  if line.earliest > now then -- it wakes a worker only if it is now the first
    local head = redis.call('ZRANGE', queue_key(queue), 0, 0, 'WITHSCORES')
    if not head[2] or tonumber(head[2]) < line.earliest then return end
  end
  wake(queue)
end

-- Store calls, see `read_call`. Returns for each STORED, TAKEN, REFUSED because its workflow was revoked or has ended, or
-- CLASH because its id is that of another job.
local function store(now, calls)
  local answers, lines, parents, refused, is_new = {}, {}, {}, {}, all_are_new(calls)
  -- First come, first served: the score orders calls within a millisecond, and is never later than now. (A script's
  -- TIME does not advance; half a microsecond is the step that a score as large as this can show. A millisecond has room
  -- for 2,000 steps.)
  local place = now - 2 + microseconds / 1000
  for i, call in ipairs(calls) do
    local id, queue, parent = call.id, call.queue, call.parent or ''
    local answer = parents[id] and same_or_clash(parents[id], parent)
    if not answer and not is_new then answer = taken(id, parent, call.path, now) end
    if not answer and parent ~= '' then answer = answer_of_workflow(call, refused) end
    answers[i] = answer or STORED
    if not answer then
      local due = moment(call.due, now)
      local line = lines[queue] or { earliest = due or now, calls = {}, places = {}, payloads = {} }
      lines[queue], place = line, math.min(place + 0.0005, now)
      local n = #line.calls + 1
      parents[id], call.due, call.expires = parent, due or now, moment(call.expires, now)
      line.calls[n], line.places[2 * n - 1], line.places[2 * n] = call, due or place, id
      line.payloads[2 * n - 1], line.payloads[2 * n] = 'arq:job:' .. id, call.payload
      if call.due < line.earliest then line.earliest = call.due end
    end
  end
  for queue, line in pairs(lines) do store_line(queue, line, now) end
  return answers
end

local name, nominal, how, window = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local task, when, queue, payload, expires, given_id, next_ms, coming = unpack(ARGV, 5)
local key = 'jobs:schedule:' .. name
local now = now_ms()
local known = redis.call('HMGET', key, 'last', 'paused')
local last = tonumber(known[1] or -1) or -1

if how ~= 'declared' then
  if nominal > now then return 'early' end
  if last >= nominal then return 'handled' end
end
redis.call('SADD', 'jobs:schedules', name)
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
if when == '' and given_id == '' and redis.call('EXISTS', 'arq:in-progress:' .. id, 'jobs:job:' .. id) > 0 then return 'handled' end
store(now, { { id = id, queue = queue, payload = payload, task = task, due = ARGV[2], expires = expires } })
publish_events(now)
redis.call('HSET', key, 'last_run', ARGV[2], 'last_id', id)
return 'fired'
