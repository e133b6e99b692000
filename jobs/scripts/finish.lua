-- Record how attempts ended, each only if its token still owns the job; a lapsed lease that nobody took still does.
-- Recording the same outcome again changes nothing and is answered as done.
--   SUCCESS, FAILURE, REVOKED   the job ends: result, record, history, counters, waiters
--   RETRY                       due again after `delay`; one retry used
--   PENDING                     handed back, due after `delay`; no attempt used
-- ARGV: worker, history kept, then for each id, token, state, result, result ttl ms, delay ms, run ms, log entry, unknown since
-- Returns for each: 1 recorded, 0 already done, -1 lost to another owner, 2 not retried because it was revoked
-- flags: allow-oom
-- include: ending
local worker, history_kept = ARGV[1], tonumber(ARGV[2])
local STRIDE, LOG_LIMIT = 9, 32768
local now = now_ms()
local answers, ended, counters, woken = {}, {}, {}, {}

local function count(task, state, wait, run)
  local function add(field) counters[field] = (counters[field] or 0) + 1 end
  local function bucket(ms) return ms < 1 and 0 or math.min(math.floor(math.log(ms) / math.log(2)) + 1, 24) end
  add(task .. '|' .. state)
  if wait then add(task .. '|wait|' .. bucket(wait)) end
  if run then add(task .. '|run|' .. bucket(run)) end
end

local function requeue(id, token, record, state, delay, changes)
  redis.call('DEL', IN_PROGRESS .. id)
  redis.call('ZADD', queue_key(record.queue), now + delay, id)
  redis.call('HSET', RECORD .. id, 'state', state, 'owner', '', 'settled', token, 'due', now + delay,
    unpack(changes))
  woken[record.queue] = true
end

local function finish(id, token, state, result, ttl, delay, run, entry, unknown)
  local r = redis.call('HMGET', RECORD .. id, 'state', 'owner', 'queue', 'task', 'reply', 'waited', 'due', 'received',
    'attempts', 'retries', 'revoked', 'log', 'settled', 'enqueued')
  if r[2] ~= token then return r[13] == token and 0 or -1 end
  if is_terminal(r[1]) then return 0 end
  local record = { queue = r[3], reply = r[5], waited = r[6] }
  if state == 'RETRY' and r[11] then return 2 end
  if entry ~= '' and #(r[12] or '') < LOG_LIMIT then
    redis.call('HSET', RECORD .. id, 'log', (r[12] or '') .. entry)
  end
  ended[#ended + 1] = id
  local task = r[4] or '?'
  if state == 'RETRY' then
    requeue(id, token, record, state, delay, { 'retries', tonumber(r[10] or 0) + 1 })
    count(task, state, false, false)
  elseif state == 'PENDING' then
    requeue(id, token, record, state, delay, { 'attempts', tonumber(r[9]) - 1, 'unknown', unknown })
  else
    redis.call('HSET', RECORD .. id, 'run', run)
    end_job(id, state, result, ttl, now, record)
    count(task, state, r[7] and math.max(r[8] - math.max(r[7], r[14] or 0), 0), run)
  end
  return 1
end

for i = 3, #ARGV, STRIDE do
  local id, token, state, result, ttl, delay, run, entry, unknown = unpack(ARGV, i, i + STRIDE - 1)
  answers[#answers + 1] = finish(id, token, state, result, tonumber(ttl), tonumber(delay), tonumber(run), entry, unknown)
end

for i = 1, #ended, 1000 do redis.call('HDEL', RUNNING .. worker, unpack(ended, i, math.min(i + 999, #ended))) end
for queue in pairs(woken) do wake(queue) end
if next(counters) then
  local minute = STATS .. math.floor(now / 60000)
  for field, n in pairs(counters) do redis.call('HINCRBY', minute, field, n) end
  redis.call('EXPIRE', minute, STATS_KEPT_S)
end
trim_history(history_kept)
tell_waiters()
return answers
