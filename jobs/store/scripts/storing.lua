-- What storing a call is: its payload, its record and its place in the queue, unless its id is taken.

local CALL_WORDS = 5
local woken_by_store, earliest_by_queue, queues_of_store = {}, {}, {}
local last_place

-- First come, first served: the score orders calls within a millisecond, and is never later than now. (A script's
-- TIME does not advance; half a microsecond is the step that a score as large as this can show.)
local function place_in_line(now)
  last_place = last_place or now - 1 + redis.call('TIME')[2] % 1000 / 1000
  last_place = math.min(last_place + 0.0005, now)
  return last_place
end

-- A member of a workflow that an earlier release has stored may have the id of a job that was called by itself: neither
-- of the two is taken for the other.
local TAKEN, STORED, REFUSED, CLASH = 0, 1, 2, 3

local function same_or_clash(record_parent, parent) return (record_parent or '') == parent and TAKEN or CLASH end

-- Is this id that of a job, or of a result that has not ended? TAKEN, CLASH, or nothing if it is free. A member's end
-- is in the journal of its workflow: what else there is of its id was left by an earlier life of that workflow.
local function taken(id, parent, path, now)
  if redis.call('EXISTS', JOB .. id) == 1 then
    return same_or_clash(redis.call('HGET', RECORD .. id, 'parent'), parent)
  end
  if parent ~= '' and redis.call('HEXISTS', JOURNAL .. parent, path) == 1 then return TAKEN end
  if parent == '' and redis.call('EXISTS', RESULT .. id) == 1 then return TAKEN end
  local record = redis.call('HMGET', RECORD .. id, 'until', 'state', 'parent')
  if record[1] and (tonumber(record[1]) or 0) > now then
    local answer = same_or_clash(record[3], parent)
    if parent == '' or answer == CLASH then return answer end
  end
  if record[1] or record[2] then -- an earlier life of this id
    forget_record(id)
    redis.call('UNLINK', RESULT .. id)
  end
end

-- Is the workflow there that this is a member of, and not revoked?
local function has_workflow(parent)
  return redis.call('EXISTS', JOB .. parent) == 1 and not redis.call('HGET', RECORD .. parent, 'revoked')
end

-- The list of workflows holds those whose record is there: each that comes takes away the oldest if theirs is not.
local function list_workflow(id, now)
  redis.call('ZADD', WORKFLOWS, now, id)
  for _, oldest in ipairs(redis.call('ZRANGE', WORKFLOWS, 0, 1)) do
    if redis.call('EXISTS', RECORD .. oldest) == 0 then redis.call('ZREM', WORKFLOWS, oldest) end
  end
end

-- The call that the CALL_WORDS from ARGV[i] on are: id, queue, payload, task, and a packed map of what else it has, or ''.
local function read_call(i, reply)
  local id, queue, payload, task, more = unpack(ARGV, i, i + CALL_WORDS - 1)
  local call = { id = id, queue = queue, payload = payload, task = task, reply = reply }
  if more ~= '' then
    for name, value in pairs(cmsgpack.unpack(more)) do call[name] = value end
  end
  return call
end

-- Store one call: its id, queue, payload and task, and what it has of due, expires, reply (the channel), parent (the workflow
-- that it is a member of), path (its place there) and tree (its own). Returns STORED, TAKEN, REFUSED because its workflow was
-- revoked or has ended, or CLASH because its id is that of another job.
local function store(now, call)
  local id, queue, parent = call.id, call.queue, call.parent or ''
  local answer = taken(id, parent, call.path, now)
  if answer then return answer end
  if parent ~= '' and not has_workflow(parent) then return REFUSED end
  local score, ends = moment(call.due, now), moment(call.expires, now)
  local place = score or place_in_line(now)
  score = score or now
  -- First what may meet a key of another type: a call that was refused for that leaves nothing that would be TAKEN.
  redis.call('ZADD', queue_key(queue), place, id)
  if not queues_of_store[queue] then
    queues_of_store[queue] = true
    redis.call('SADD', QUEUES, queue)
  end
  local key = RECORD .. id
  redis.call('HSET', key, 'task', call.task, 'queue', queue, 'enqueued', now, 'due', score, 'reply', call.reply or '')
  redis.call('SET', JOB .. id, call.payload)
  if ends then redis.call('HSET', key, 'expires', ends) end
  if parent ~= '' then redis.call('HSET', key, 'parent', parent, 'path', call.path) end
  if call.tree then
    redis.call('HSET', key, 'tree', 1)
    redis.call('SET', TREE .. id, call.tree)
    redis.call('UNLINK', JOURNAL .. id)
    list_workflow(id, now)
  end
  note_event(id, 'PENDING', call.task, queue)
  if score <= now then
    woken_by_store[queue] = true
  elseif not earliest_by_queue[queue] or score < earliest_by_queue[queue] then
    earliest_by_queue[queue] = score
  end
  return STORED
end

-- Wake a worker of each queue where a stored call is due, or is now the first that will be.
local function wake_for_stored()
  for queue, score in pairs(earliest_by_queue) do
    local head = redis.call('ZRANGE', queue_key(queue), 0, 0, 'WITHSCORES')
    if head[2] and tonumber(head[2]) >= score then woken_by_store[queue] = true end
  end
  for queue in pairs(woken_by_store) do wake(queue) end
end
