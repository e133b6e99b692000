-- Record how attempts ended, each only if its token still owns the job; a lapsed lease that nobody took still does.
-- Recording the same outcome again changes nothing and is answered as done.
--   SUCCESS, FAILURE, REVOKED   the job ends: result, record, history, counters, waiters; the calls that follow are stored
--   RETRY                       due again after `delay`; one retry used
--   PENDING                     released, due after `delay`; no attempt used
--   PARKED                      a workflow waits for its members: due again when one ends, at the latest after `delay`
--   SUSPENDED                   a job with steps waits, see suspending.lua
-- ARGV: worker, history kept, its listener, then for each a packed row, its result, and the words of the calls that follow (see
--   `read_call`)
--   row: id, token, state, result ttl ms, delay ms, run ms, log entry (of a failed attempt: it, task, type, place and message),
--   extra (unknown since, or its keys; of a PARKED workflow how many members' ends it has seen; `by member` of a workflow that failed because
--   a member did, which is counted and listed already; of a RETRY of a job with steps what is forgotten), ms from due to its start or -1, number of calls that follow
-- Returns for each: 1 recorded, 0 already done, -1 lost to another owner, 2 not recorded because it was revoked: a retry, or
--   whatever a workflow came to; then the messages for the listener
-- flags: allow-oom
-- include: limits, counting, unique, ending, attempts
local worker, history_kept, listener = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = now_ms()
local answers, woken, following, children_of = {}, {}, {}, {}

local function requeue(id, token, task, queue, state, due, changes)
  redis.call('DEL', IN_PROGRESS .. id)
  redis.call('ZREM', LEASES .. queue, id)
  give_back(id, task)
  redis.call('ZADD', queue_key(queue), as_moment(tonumber(due) or now), id)
  redis.call('HSET', RECORD .. id, 'state', state, 'owner', '', 'settled', token, unpack(changes))
  woken[queue] = true
end

-- A member may have ended since the workflow looked, or the workflow was revoked: then it is due at once.
local function park(id, token, queue, delay, seen, attempts, due, revoked)
  redis.call('HDEL', RECORD .. id, 'suspect', 'crashes', 'deaths')
  if redis.call('HLEN', JOURNAL .. id) ~= tonumber(seen) or revoked then
    return requeue(id, token, nil, queue, 'PENDING', due, { 'attempts', attempts - 1 })
  end
  requeue(id, token, nil, queue, 'PENDING', now + delay, { 'attempts', attempts - 1, 'parked', 1 })
end

local function note_attempt(id, record, entry)
  if type(entry) ~= 'table' then return log_attempt(id, record.log or '', entry) end
-- include: grouping
  log_attempt(id, record.log or '', entry[1], 'error', group_failure(id, record.task, entry, now))
end

local function finish(result, id, token, state, ttl, delay, run, entry, extra, wait)
  local record = read_record(id)
  if record.owner ~= token then return redis.call('HGET', RECORD .. id, 'settled') == token and 0 or -1 end
  if state ~= 'SUCCESS' or record.tree then read_rest(id, record) end
  record.worker = worker
  if is_terminal(record.state) then
    if redis.call('EXISTS', JOB .. id) == 0 then return 0 end
    gather_end(id, record.state, now, record) -- a script that met a key of another type had stopped half-way
    return 1
  end
  if record.revoked and (state == 'RETRY' or state == 'SUSPENDED' or record.tree and (state == 'SUCCESS' or state == 'FAILURE')) then return 2 end
  if entry ~= '' then note_attempt(id, record, entry) end
  local task, queue, attempts = record.task or '?', record.queue, record.attempts or 1
  if state == 'RETRY' then
    redis.call('HDEL', RECORD .. id, 'suspect', 'crashes', 'deaths', 'suspended') -- its worker has outlived it
    if type(extra) == 'table' then -- steps that failed, and the ends of children: they are done again
-- include: forgetting
      forget_steps(id, extra[1])
      in_bulk('HDEL', JOURNAL .. id, extra[2])
    end
    local due = as_moment(now + delay)
    requeue(id, token, task, queue, state, due, { 'due', due, 'retries', (record.retries or 0) + 1 })
    note_event(id, state, record.task, queue, worker)
    count(task, state, false, false)
  elseif state == 'PENDING' then
    local due = delay == 0 and record.due or now + delay -- released, it keeps its place in the queue
    if extra == '' then redis.call('HDEL', RECORD .. id, 'expires') end -- it had begun: see verdict in claim.lua
    local known = tostring(extra):sub(1, 1) == '|' and 'keys' or 'unknown' -- put back with its keys: see buckets.lua
    requeue(id, token, task, queue, state, due, { 'attempts', attempts - 1, known, extra })
    if not record.state then redis.call('HDEL', RECORD .. id, 'state') end -- it was only asked for its keys
  elseif state == 'PARKED' then
    park(id, token, queue, delay, extra, attempts, record.due or now, record.revoked)
  elseif state == 'SUSPENDED' then
-- include: suspending
  else
    local by_member = state == 'FAILURE' and extra == 'by member'
    end_job(id, state, result, ttl, now, record, run, by_member)
    if by_member then return 1 end
    count(task, state, wait >= 0 and wait, tonumber(run))
  end
  return 1
end

local function note_calls(id, first, count)
  local children = {}
  for i = first, first + (count - 1) * CALL_WORDS, CALL_WORDS do
    children[#children + 1], following[#following + 1] = ARGV[i], i
  end
  children_of[id] = children
end

-- Each run of a script makes its functions anew: those that store calls only if some follow.
local function store_calls()
-- include: storing
  local calls = {}
  for n, i in ipairs(following) do calls[n] = read_call(i) end
  local stored_as = {}
  for n, answer in ipairs(store(now, calls)) do
    if type(answer) == 'string' then stored_as[calls[n].id] = answer end -- another job has its key
  end
  for id, children in pairs(children_of) do
    for n, child in ipairs(children) do children[n] = stored_as[child] or child end
    redis.call('HSET', RECORD .. id, 'children', cmsgpack.pack(children))
  end
end

local i = 4
while i <= #ARGV do
  local row = cmsgpack.unpack(ARGV[i])
  local answer, count = finish(ARGV[i + 1], unpack(row)), row[10]
  answers[#answers + 1] = answer
  if answer == 1 and count > 0 then note_calls(row[1], i + 2, count) end
  i = i + 2 + count * CALL_WORDS
end

if following[1] then store_calls() end
settle_endings()
for queue in pairs(woken) do wake(queue) end
write_counters(now)
trim_history(history_kept)
tell_waiters(listener, answers)
publish_events(now)
return answers
