-- Record how attempts ended, each only if its token still owns the job; a lapsed lease that nobody took still does.
-- Recording the same outcome again changes nothing and is answered as done.
--   SUCCESS, FAILURE, REVOKED   the job ends: result, record, history, counters, waiters; the calls that follow are stored
--   RETRY                       due again after `delay`; one retry used
--   PENDING                     handed back, due after `delay`; no attempt used
--   PARKED                      a workflow waits for its members: due again when one ends, at the latest after `delay`
-- ARGV: worker, history kept, then for each id, token, state, result, result ttl ms, delay ms, run ms, log entry,
--   extra (unknown since; of a PARKED workflow how many members' ends it has seen), number of calls that follow, their fields
-- Returns for each: 1 recorded, 0 already done, -1 lost to another owner, 2 not retried because it was revoked
-- flags: allow-oom
-- include: limits
-- include: ending
-- include: storing
local worker, history_kept = ARGV[1], tonumber(ARGV[2])
local FIELDS, LOG_LIMIT = 10, 32768
local now = now_ms()
local answers, settled, unleased, counters, woken = {}, {}, {}, {}, {}

local function count(task, state, wait, run)
  local function add(field) counters[field] = (counters[field] or 0) + 1 end
  local function bucket(ms) return ms < 1 and 0 or math.min(math.floor(math.log(ms) / math.log(2)) + 1, 24) end
  add(task .. '|' .. state)
  if wait then add(task .. '|wait|' .. bucket(wait)) end
  if run then add(task .. '|run|' .. bucket(run)) end
end

local function requeue(id, token, task, queue, state, due, changes)
  redis.call('DEL', IN_PROGRESS .. id)
  release(id, task)
  redis.call('ZADD', queue_key(queue), due, id)
  redis.call('HSET', RECORD .. id, 'state', state, 'owner', '', 'settled', token, unpack(changes))
  woken[queue] = true
end

-- A member may have ended since the workflow looked, or the workflow was revoked: then it is due at once.
local function park(id, token, queue, delay, seen, attempts, due, revoked)
  redis.call('HDEL', RECORD .. id, 'suspect', 'crashes')
  if redis.call('HLEN', JOURNAL .. id) ~= tonumber(seen) or revoked then
    return requeue(id, token, nil, queue, 'PENDING', due, { 'attempts', attempts - 1 })
  end
  requeue(id, token, nil, queue, 'PENDING', now + delay, { 'attempts', attempts - 1, 'parked', 1 })
end

local function finish(id, token, state, result, ttl, delay, run, entry, extra)
  local record = read_record(id)
  local r = redis.call('HMGET', RECORD .. id, 'due', 'received', 'attempts', 'retries', 'revoked', 'log', 'settled',
    'enqueued')
  if record.owner ~= token then return r[7] == token and 0 or -1 end
  if is_terminal(record.state) then return 0 end
  if state == 'RETRY' and r[5] then return 2 end
  if entry ~= '' and #(r[6] or '') < LOG_LIMIT then
    redis.call('HSET', RECORD .. id, 'log', (r[6] or '') .. entry)
  end
  settled[#settled + 1] = id
  unleased[record.queue] = unleased[record.queue] or {}
  table.insert(unleased[record.queue], id)
  local task = record.task or '?'
  if state == 'RETRY' then
    local due = now + delay
    requeue(id, token, record.task, record.queue, state, due, { 'due', due, 'retries', tonumber(r[4] or 0) + 1 })
    count(task, state, false, false)
  elseif state == 'PENDING' then
    local due = delay == 0 and r[1] or now + delay -- handed back, it keeps its place in the queue
    requeue(id, token, record.task, record.queue, state, due, { 'attempts', tonumber(r[3]) - 1, 'unknown', extra })
  elseif state == 'PARKED' then
    park(id, token, record.queue, delay, extra, tonumber(r[3]), r[1] or now, r[5])
  else
    redis.call('HSET', RECORD .. id, 'run', run)
    end_job(id, state, result, ttl, now, record)
    count(task, state, r[1] and math.max(r[2] - math.max(r[1], r[8] or 0), 0), run)
  end
  return 1
end

local i = 3
while i <= #ARGV do
  local id, token, state, result, ttl, delay, run, entry, extra, following = unpack(ARGV, i, i + FIELDS - 1)
  local answer = finish(id, token, state, result, tonumber(ttl), tonumber(delay), tonumber(run), entry, extra)
  answers[#answers + 1] = answer
  i = i + FIELDS
  for _ = 1, following do
    if answer == 1 then store(now, unpack(ARGV, i, i + CALL_FIELDS - 1)) end
    i = i + CALL_FIELDS
  end
end

for queue, ids in pairs(unleased) do
  for first = 1, #ids, 1000 do
    redis.call('ZREM', LEASES .. queue, unpack(ids, first, math.min(first + 999, #ids)))
  end
end
for first = 1, #settled, 1000 do
  redis.call('HDEL', RUNNING .. worker, unpack(settled, first, math.min(first + 999, #settled)))
end
for queue in pairs(woken) do wake(queue) end
wake_for_stored()
if next(counters) then
  local minute = STATS .. math.floor(now / 60000)
  for field, n in pairs(counters) do redis.call('HINCRBY', minute, field, n) end
  redis.call('EXPIRE', minute, STATS_KEPT_S)
end
trim_history(history_kept)
tell_waiters()
return answers
