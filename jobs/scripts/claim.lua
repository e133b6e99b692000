-- Give a worker up to `wanted` due jobs, queue by queue in the order given: each with a lease, a token and its payload.
-- The score of a claimed job moves to the end of its lease: running jobs never hide due ones, and those of a dead
-- worker become due by themselves. A job with a live owner is never given away; a lapsed one is, as a suspect, one at a
-- time for each worker, and not while `takeover` is 0 (the others may only have lost their connection).
-- ARGV: worker, token, lease ms, wanted, suspects allowed, takeover, queue ...
-- Returns rows, ms until the next job is due (-1: none), 1 if due jobs stay behind, ids held by a stock arq worker.
--   row: id, queue, payload or '', verdict, attempts, retries, crashes, due, enqueued, received, lapsed, unknown since,
--   suspect, member of a workflow
local worker, token = ARGV[1], ARGV[2]
local lease, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local suspects_left, takeover = tonumber(ARGV[5]), ARGV[6] == '1'
local POISON, AGAIN_MS, READ_AHEAD = 3, 500, 100
local now = now_ms()
local rows, foreign, running, tries = {}, {}, {}, {}

-- Stock `Job.abort()`: its entries become revokes, and are removed.
local function absorb_aborts()
  for _, id in ipairs(redis.call('ZRANGE', ABORT, 0, READ_AHEAD)) do
    redis.call('ZREM', ABORT, id)
    local record = redis.call('HMGET', RECORD .. id, 'state', 'queue', 'worker')
    if redis.call('EXISTS', JOB .. id) == 1 and not is_terminal(record[1]) then
      redis.call('HSET', RECORD .. id, 'revoked', 'terminate')
      if record[1] == 'STARTED' then redis.call('PUBLISH', CONTROL .. record[3], 'revoke ' .. id) end
    end
  end
end

local function remember_lapse(id, attempts, previous, received)
  local log = redis.call('HGET', RECORD .. id, 'log') or ''
  local entry = cmsgpack.pack({ attempts, previous, tonumber(received), now, 'LOST', 'its worker died or lost its lease' })
  if #log < 32768 then redis.call('HSET', RECORD .. id, 'log', log .. entry) end
end

-- Why a job must end instead of running; '' if it may run.
local function verdict(payload, revoked, expires, crashes, parent)
  if not payload then return 'missing' end
  if revoked or (parent and redis.call('HGET', RECORD .. parent, 'revoked')) then return 'revoked' end
  if expires and tonumber(expires) <= now then return 'expired' end
  if crashes >= POISON then return 'poison' end
  return ''
end

local function claim(id, key, queue)
  local record = redis.call('HMGET', RECORD .. id, 'state', 'attempts', 'retries', 'crashes', 'suspect', 'revoked',
    'expires', 'due', 'enqueued', 'unknown', 'worker', 'received', 'parent', 'parked')
  local state, suspect = record[1], record[5] == '1'
  local attempts, retries, crashes = tonumber(record[2] or 0), tonumber(record[3] or 0), tonumber(record[4] or 0)
  local lapsed = 0

  if is_terminal(state) then -- a stray id: its job has ended
    redis.call('ZREM', key, id)
    return false
  end
  local holder = redis.call('SET', IN_PROGRESS .. id, token, 'NX', 'GET', 'PX', lease)
  if holder then
    if state ~= 'STARTED' then -- arq's own value: a stock worker runs it
      foreign[#foreign + 1] = id
      return false
    end
    redis.call('ZADD', key, now + math.max(redis.call('PTTL', IN_PROGRESS .. id), 1), id)
    return false
  end
  if state == 'STARTED' then
    if not takeover or (suspects_left == 0 and not record[6]) then
      redis.call('DEL', IN_PROGRESS .. id)
      redis.call('ZADD', key, now + AGAIN_MS, id)
      return false
    end
    if suspect then crashes = crashes + 1 end
    suspect, lapsed = true, 1
    remember_lapse(id, attempts, record[11], record[12])
    redis.call('HDEL', RUNNING .. record[11], id)
    redis.call('HSET', RECORD .. id, 'suspect', 1, 'crashes', crashes)
  elseif suspect and suspects_left == 0 then
    redis.call('DEL', IN_PROGRESS .. id)
    redis.call('ZADD', key, now + AGAIN_MS, id)
    return false
  end

  local payload = redis.call('GET', JOB .. id)
  if not payload and not state and not record[9] then -- neither payload nor record: nothing to run or to tell
    redis.call('DEL', IN_PROGRESS .. id)
    redis.call('ZREM', key, id)
    return false
  end
  if suspect then suspects_left = suspects_left - 1 end
  if record[14] then redis.call('HDEL', RECORD .. id, 'parked') end
  attempts = attempts + 1
  if not record[9] then redis.call('HSET', RECORD .. id, 'queue', queue, 'enqueued', now) end -- of a stock producer
  redis.call('HSET', RECORD .. id, 'state', 'STARTED', 'owner', token, 'worker', worker, 'attempts', attempts,
    'received', now)
  redis.call('ZADD', key, now + lease, id)
  running[#running + 1], running[#running + 2] = id, token
  tries[#tries + 1], tries[#tries + 2] = RETRY .. id, attempts
  rows[#rows + 1] = { id, queue, payload or '', verdict(payload, record[6], record[7], crashes, record[13]), attempts, retries,
    crashes, record[8] or '', record[9] or '', now, lapsed, record[10] or '', suspect and 1 or 0,
    record[13] and 1 or 0 }
  return true
end

if redis.call('EXISTS', ABORT) == 1 then absorb_aborts() end

local left_behind, next_due = 0, -1
for i = 7, #ARGV do
  local queue = ARGV[i]
  local key = queue_key(queue)
  if redis.call('SISMEMBER', PAUSED, queue) == 0 then
    local due = redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, wanted - #rows + READ_AHEAD)
    for _, id in ipairs(due) do
      if #rows == wanted then
        left_behind = 1
        wake(queue)
        break
      end
      claim(id, key, queue)
    end
    local following = redis.call('ZRANGE', key, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    if following[2] then
      local wait = following[2] - now
      if next_due < 0 or wait < next_due then next_due = wait end
    end
  end
end

if #running > 0 then
  for i = 1, #running, 1000 do
    redis.call('HSET', RUNNING .. worker, unpack(running, i, math.min(i + 999, #running)))
    redis.call('MSET', unpack(tries, i, math.min(i + 999, #tries)))
  end
end
return { rows, next_due, left_behind, foreign }
