-- What storing a call is: its payload, its record and its place in the queue, unless its id is taken.
-- include: keeping

-- A member of a workflow that an earlier release has stored may have the id of a job that was called by itself: neither
-- of the two is taken for the other.
local TAKEN, STORED, REFUSED, CLASH = 0, 1, 2, 3

local function same_or_clash(other_parent, parent) return (other_parent or '') == parent and TAKEN or CLASH end

-- Is there nothing of any of these ids? One question for all of them: only if there is something is each looked at.
local function all_are_new(calls)
  local keys = {}
  for i, call in ipairs(calls) do
    keys[3 * i - 2], keys[3 * i - 1], keys[3 * i] = JOB .. call.id, RESULT .. call.id, RECORD .. call.id
  end
  for i = 1, #keys, 1000 do
    if redis.call('EXISTS', unpack(keys, i, math.min(i + 999, #keys))) > 0 then return false end
  end
  return true
end

-- Is this the id of a job, or of a result that has not ended? TAKEN, CLASH, or nothing if it is free. A member's end
-- is in the journal of its workflow: what else there is of its id was left by an earlier life of that workflow.
local function taken(call, parent, now)
  local id, path = call.id, call.path
  if redis.call('EXISTS', JOB .. id) == 1 then
    return same_or_clash(redis.call('HGET', RECORD .. id, 'parent'), parent)
  end
  if parent ~= '' and redis.call('HEXISTS', JOURNAL .. parent, path) == 1 then return TAKEN end
  if parent == '' and redis.call('EXISTS', RESULT .. id) == 1 then return TAKEN end
  local record = redis.call('HMGET', RECORD .. id, 'until', 'state', 'parent', 'unique', 'steps')
  if record[1] and (tonumber(record[1]) or 0) > now then
    local answer = same_or_clash(record[3], parent)
    if parent == '' or answer == CLASH then return answer end
    if (record[5] or call.tree) and goes_on(call, record[2], record[5]) then return end
  end
  if record[1] or record[2] then -- an earlier life of this id
    if record[4] then give_up(id, record[4]) end
    forget_record(id)
    redis.call('UNLINK', RESULT .. id)
  end
end

-- A member whose end is in the journal is TAKEN. All members of a workflow that is not there any more, or was revoked, are
-- REFUSED; *refused*: is that so, of the workflows that were looked at.
local function answer_of_workflow(call, refused)
  local parent = call.parent
  if redis.call('HEXISTS', JOURNAL .. parent, call.path) == 1 then return TAKEN end
  if refused[parent] == nil then
    refused[parent] = redis.call('EXISTS', JOB .. parent) == 0 or redis.call('HEXISTS', RECORD .. parent, 'revoked') == 1
  end
  if refused[parent] then return REFUSED end
end

-- Write what a workflow has besides; in its record, `tree` is its name, or 1 in those of earlier releases. The list of workflows
-- holds those whose record is there: each that comes takes away the oldest if theirs is not.
local function store_tree(id, tree, name, now, since)
  redis.call('HSET', RECORD .. id, 'tree', name or 1)
  redis.call('SET', TREE .. id, tree)
  if not since then redis.call('UNLINK', JOURNAL .. id) end
  redis.call('ZADD', WORKFLOWS, now, id)
  for _, oldest in ipairs(redis.call('ZRANGE', WORKFLOWS, 0, 1)) do
    if redis.call('EXISTS', RECORD .. oldest) == 0 then redis.call('ZREM', WORKFLOWS, oldest) end
  end
end

-- The call that the CALL_WORDS from ARGV[i] on are: id, queue, payload, task, and a packed map of what else it has, or '':
-- due, expires, parent (the workflow that it is a member of), path (its place there), tree (its own) and name (of a workflow),
-- unique (see unique.lua) and keys (of its limits, see buckets.lua).
local function read_call(i, reply)
  local id, queue, payload, task, more = unpack(ARGV, i, i + CALL_WORDS - 1)
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
    local id, key = call.id, RECORD .. call.id
    local due = as_text(call.due)
    if call.since then begin_again(call) end
    if call.parent then -- its workflow hears of its end; who else waits for it says so, see read.lua
      redis.call('HSET', key, 'task', call.task, 'queue', queue, 'enqueued', at, 'due', due, 'parent', call.parent, 'path', call.path)
    else
      redis.call('HSET', key, 'task', call.task, 'queue', queue, 'enqueued', at, 'due', due, 'reply', call.reply or '')
    end
    if call.expires then redis.call('HSET', key, 'expires', call.expires) end
    if call.keys then redis.call('HSET', key, 'keys', call.keys) end
    if call.tree then store_tree(id, call.tree, call.name, now, call.since) end
    note_event(id, 'PENDING', call.task, queue)
  end
  redis.call('SADD', QUEUES, queue)
  in_bulk('ZADD', queue_key(queue), line.places)
  in_bulk('MSET', nil, line.payloads)
  if line.earliest > now then -- it wakes a worker only if it is now the first
    local head = redis.call('ZRANGE', queue_key(queue), 0, 0, 'WITHSCORES')
    if not head[2] or tonumber(head[2]) < line.earliest then return end
  end
  wake(queue)
end

-- Store calls, see `read_call`. Returns for each STORED, TAKEN, REFUSED because its workflow was revoked or has ended, or
-- CLASH because its id is that of another job; or the id of the job that has its key.
local function store(now, calls)
  local answers, lines, parents, refused, is_new = {}, {}, {}, {}, all_are_new(calls)
  -- First come, first served: the score orders calls within a millisecond, and is never later than now. (A script's
  -- TIME does not advance; half a microsecond is the step that a score as large as this can show. A millisecond has room
  -- for 2,000 steps.)
  local place = now - 2 + microseconds / 1000
  for i, call in ipairs(calls) do
    local id, queue, parent = call.id, call.queue, call.parent or ''
    local answer = parents[id] and same_or_clash(parents[id], parent)
    if not answer and not is_new then answer = taken(call, parent, now) end
    if not answer and parent ~= '' then answer = answer_of_workflow(call, refused) end
    if not answer and call.unique then answer = answer_of_key(call, now) end
    if answer == id then answer = TAKEN end -- in the window of the job that had this id before
    answers[i] = answer or STORED
    if not answer then
      local due = moment(call.due, now)
      local line = lines[queue] or { earliest = due or now, calls = {}, places = {}, payloads = {} }
      lines[queue], place = line, math.min(place + 0.0005, now)
      local n = #line.calls + 1
      parents[id], call.due, call.expires = parent, due or now, moment(call.expires, now)
      line.calls[n], line.places[2 * n - 1], line.places[2 * n] = call, due or place, id
      line.payloads[2 * n - 1], line.payloads[2 * n] = JOB .. id, call.payload
      if call.due < line.earliest then line.earliest = call.due end
      if call.unique then -- at once, so that the next call with its key finds it
        store_line(queue, line, now)
        hold_key(call, now)
        lines[queue] = nil
      end
    end
  end
  for queue, line in pairs(lines) do store_line(queue, line, now) end
  return answers
end

-- The id of the job that a call is now: its own, or that of the job that has its key.
local function store_one(now, call)
  local answer = store(now, { call })[1]
  return type(answer) == 'string' and answer or call.id
end
