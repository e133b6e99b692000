-- How a job ends, whatever ends it. Its keys go; its record and result stay for their time. Callers that wait for its result
-- get a message, and so does the workflow that it is a member of.

local replies = {} -- channel -> ids, so that a caller hears of a whole batch in one message
local news = {} -- workflow -> paths that ended, and their entries in its journal
local NEWS_BYTES = 65536 -- of entries that go with a message
local gone, unqueued = {}, {} -- what endings take away or add, all at once in `settle_endings`
local by_task, unsuccessful, ended = {}, {}, {} -- the same of the indexes that pages read

-- What every end needs of a record, by name.
local function read_record(id)
  local r = redis.call('HMGET', RECORD .. id, 'state', 'owner', 'queue', 'task', 'reply', 'waited', 'parent', 'tree', 'steps',
    'unique')
  return { state = r[1], owner = r[2], queue = r[3] or 'default', task = r[4], reply = r[5], waited = r[6], parent = r[7],
    tree = r[8], steps = r[9], unique = r[10] }
end

-- And what others need than the success of a task.
local function read_rest(id, record)
  local r = redis.call('HMGET', RECORD .. id, 'due', 'attempts', 'retries', 'revoked', 'log', 'worker')
  record.due, record.attempts, record.retries = tonumber(r[1] or nil), tonumber(r[2] or nil), tonumber(r[3] or nil)
  record.revoked, record.log, record.worker = r[4], r[5], r[6]
end

local function tell(channel, id) if channel and channel ~= '' then add_to(replies, channel, id) end end

-- A member's end comes after that of its workflow, which has failed: a retry of that finds it.
local function keep_late_end(workflow, enqueued, path, entry, now)
  local r = redis.call('HMGET', RECORD .. workflow, 'state', 'until', 'since', 'enqueued')
  local left, since = (tonumber(r[2] or 0) or 0) - now, tonumber(r[3] or r[4] or nil) or math.huge
  if r[1] == 'SUCCESS' or redis.call('EXISTS', TREE .. workflow, STEPS .. workflow) == 0 or left <= 0 or (tonumber(enqueued or 0) or 0) < since then return end
  redis.call('HSET', JOURNAL .. workflow, path, entry)
  redis.call('PEXPIRE', JOURNAL .. workflow, as_text(left))
end

-- A member's result is stored once, in the journal of its workflow, as long as that has not ended.
local function write_journal(id, record, state, result, now)
  local workflow, r = record.parent, redis.call('HMGET', RECORD .. id, 'path', 'enqueued')
  local path, entry = r[1], state:sub(1, 1) .. result
  if ended[workflow] or not news[workflow] and redis.call('EXISTS', JOB .. workflow) == 0 then
    keep_late_end(workflow, r[2], path, entry, now)
    return false
  end
  redis.call('HSET', JOURNAL .. workflow, path, entry)
  local own = news[workflow] or { paths = {}, entries = {}, bytes = 0 }
  news[workflow] = own
  own.paths[#own.paths + 1], own.entries[path], own.bytes = path, entry, own.bytes + #entry
  return true
end

-- A worker of an earlier release may have ended a job with steps, and left them.
local function let_steps_end(id, ttl)
  for _, waits in ipairs({ AWAITING, SUSPENDED }) do redis.call('ZREM', waits, id) end
  for _, key in ipairs({ STEPS, JOURNAL }) do
    if redis.call('PTTL', key .. id) == -1 then redis.call('PEXPIRE', key .. id, as_text(math.max(ttl, 1))) end
  end
end

-- What an end takes away and adds besides its record, and who hears of it.
local function gather_end(id, state, now, record, listed_already)
  ended[id] = true
  gone[#gone + 1], gone[#gone + 2] = JOB .. id, IN_PROGRESS .. id
  add_to(unqueued, record.queue, id)
  local now_text = as_text(now)
  add_to(by_task, record.task or '?', now_text, id)
  if state ~= 'SUCCESS' and not listed_already then unsuccessful[#unsuccessful + 1], unsuccessful[#unsuccessful + 2] = now_text, id end
  note_event(id, state, record.task, record.queue, record.worker)
  tell(record.reply, id)
  if record.waited then
    for _, channel in ipairs(redis.pcall('SMEMBERS', WAITERS .. id)) do tell(channel, id) end
    redis.call('DEL', WAITERS .. id)
  end
  if record.unique then give_up(id, record.unique) end
  if limits_of(record.task) then
    redis.call('DEL', IN_PROGRESS .. id)
    give_back(id, record.task)
  end
end

local function end_job(id, state, result, ttl, now, record, run, listed_already)
  local in_journal = record.parent and write_journal(id, record, state, result, now)
  if not in_journal and result ~= '' and ttl > 0 then
    redis.call('SET', RESULT .. id, result, 'PXAT', as_text(real_ms + ttl))
  end
  if record.tree or record.steps then -- what a later retry of what failed needs
    local payload = redis.call('GET', JOB .. id) or ''
    if record.tree then redis.call('HSET', RECORD .. id, 'payload', payload)
    else redis.call('SET', ENDED_CALL .. id, payload, 'PX', math.max(ttl, 1)) end
    for _, key in ipairs({ record.tree and TREE or STEPS, JOURNAL }) do redis.call('PEXPIRE', key .. id, math.max(ttl, 1)) end
    for _, waits in ipairs(record.steps and { AWAITING, SUSPENDED } or {}) do redis.call('ZREM', waits, id) end
  end
  redis.call('HSET', RECORD .. id, 'state', state, 'finished', as_text(now), 'until', as_text(now + ttl), 'run', run or '0')
  gather_end(id, state, now, record, listed_already)
end

-- Take away and add what the endings of this script gathered; before anything of it is looked at again.
local function settle_endings()
  in_bulk('DEL', nil, gone)
  for queue, ids in pairs(unqueued) do in_bulk('ZREM', queue_key(queue), ids) in_bulk('ZREM', LEASES .. queue, ids) end
  in_bulk('ZADD', UNSUCCESSFUL, unsuccessful)
  for task, entries in pairs(by_task) do
    in_bulk('ZADD', HISTORY, entries)
    in_bulk('ZADD', ENDED .. task, entries)
  end
end

-- Send what was gathered: one message for each caller, one for each workflow: to the worker that evaluates it, and to its
-- followers. A workflow that was parked is due again. What *listener* is to hear is added to *answers* instead.
local function tell_waiters(listener, answers)
  for channel, ids in pairs(replies) do redis.pcall('PUBLISH', REPLY .. channel, cmsgpack.pack(ids)) end
  for workflow, own in pairs(news) do
    local record = redis.call('HMGET', RECORD .. workflow, 'listener', 'parked', 'queue', 'due', 'suspect', 'attempts', 'steps')
    local message = cmsgpack.pack({ workflow, unpack(own.paths) })
    redis.pcall('PUBLISH', ENDS .. workflow, message)
    if record[5] then redis.call('HDEL', RECORD .. workflow, 'suspect', 'crashes', 'deaths') end -- it gets on: not what kills workers
    if record[2] then
      redis.call('HDEL', RECORD .. workflow, 'parked')
      if record[7] then redis.call('HSET', RECORD .. workflow, 'due', moment_ms) end
      call_job(workflow, record[3], as_moment(tonumber(record[4]) or 0))
      wake(record[3] or 'default')
    elseif record[1] then
      if record[1]:sub(1, 1) == '+' and own.bytes <= NEWS_BYTES then
        message = cmsgpack.pack({ workflow, own.entries, record[6] })
      end
      if record[1] == listener then
        answers[#answers + 1] = message
      else
        redis.pcall('PUBLISH', NEWS .. record[1], message)
      end
    end
  end
end

-- The record of an ended job, and its place in every index, lives until `kept` others have ended after it.
local function trim_history(kept)
  local excess = redis.call('ZCARD', HISTORY) - kept
  if excess <= 0 then return end
  local ids_of, unsuccessful_ids = {}, {}
  for _, id in ipairs(redis.call('ZRANGE', HISTORY, 0, excess - 1)) do
    local task, state, unique, steps = unpack(redis.call('HMGET', RECORD .. id, 'task', 'state', 'unique', 'steps'))
    if unique then give_up(id, unique) end
    if steps then let_steps_end(id, 1) end
    add_to(ids_of, task or '?', id)
    if state ~= 'SUCCESS' then table.insert(unsuccessful_ids, id) end
    redis.call('UNLINK', RECORD .. id)
  end
  redis.call('ZREMRANGEBYRANK', HISTORY, 0, excess - 1)
  in_bulk('ZREM', UNSUCCESSFUL, unsuccessful_ids)
  for task, ids in pairs(ids_of) do in_bulk('ZREM', ENDED .. task, ids) end
end
