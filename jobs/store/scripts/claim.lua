-- Give a worker up to `wanted` due jobs, queue by queue in the order given: each with a lease, a token and its payload.
-- The score of a claimed job moves to the end of its lease: running jobs never hide due ones, and those of a dead
-- worker become due by themselves. A job with a live owner is never given away; a lapsed one is, before all others, as a
-- suspect, one at a time for each worker, and not just after Redis itself was away.
-- ARGV: worker, token, lease ms, wanted, suspects allowed, queue ...
-- Returns rows, ms until the next job is due (-1: none), 1 if due jobs stay behind, ids held by a stock arq worker,
-- and of jobs that cannot be read, each with why; 1 if a key was of another type; when the jobs were received.
--   row: id, queue, payload or '', attempts, due, enqueued; and, unless it is the first start of a job that is no member and has no steps:
--   verdict, retries, crashes, lapsed, unknown since, suspect, member of a workflow, has it steps
--   crashes: deaths of workers beyond the first, see note_lapse; of a job whose verdict is poison, how many workers it killed
-- include: aborting, limits, alive, attempts, unique
local worker, token = ARGV[1], ARGV[2]
local lease, wanted, suspects_left = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local AGAIN_MS, READ_AHEAD, READ_AT_ONCE, UNREADABLE_MS, MANY, LONG = 1000, 100, 500, 60000, 41, ('-'):rep(65)
local ROUNDS = 50
local now = now_ms()
local now_text, lease_end, held_until = as_text(now), as_text(now + lease), as_text(real_ms + lease)
local takeover, are_aborts = note_alive(now), absorb_aborts(now)
local rows, foreign, leases, unreadable, wrong_type = {}, {}, {}, {}, 0

-- Of a job that no worker has had yet, only the first fields can be there: `steps` too, as an event may come before.
local function read(id)
  local key = RECORD .. id
  local r = redis.call('HMGET', key, 'state', 'task', 'due', 'enqueued', 'expires', 'revoked', 'parent', 'tree', 'unique',
    'steps')
  local record = { state = r[1], task = r[2], due = r[3], enqueued = r[4], expires = r[5], revoked = r[6], parent = r[7],
    tree = r[8], unique = r[9], steps = r[10], attempts = 0, retries = 0, crashes = 0 }
  if not r[1] then return record end
  r = redis.call('HMGET', key, 'attempts', 'retries', 'crashes', 'suspect', 'unknown', 'worker', 'received', 'parked', 'listener',
    'suspended')
  for i, name in ipairs({ 'attempts', 'retries', 'crashes' }) do record[name] = tonumber(r[i] or 0) or 0 end
  record.suspect, record.unknown, record.worker, record.received = r[4] == '1', r[5], r[6], r[7]
  record.parked, record.listener, record.suspended = r[8], r[9], r[10]
  return record
end

local revoked = {} -- workflow -> was it revoked? Asked once for all of its members

local function is_revoked(workflow)
  if revoked[workflow] == nil then revoked[workflow] = redis.call('HEXISTS', RECORD .. workflow, 'revoked') == 1 end
  return revoked[workflow]
end

-- Why a job must end instead of running; '' if it may run.
local function verdict(id, record, payload)
  if not payload then return 'missing' end
  if record.revoked then return 'revoked' end
  if are_aborts and redis.call('ZREM', ABORT, id) == 1 then -- noted, as this worker may die before it says so
    redis.call('HSET', RECORD .. id, 'revoked', 'terminate')
    return 'revoked'
  end
  if record.parent and is_revoked(record.parent) then return 'revoked' end
  local begun = record.attempts > 0 or record.listener -- one that was parked has no attempt used
  if record.expires and not begun and (tonumber(record.expires) or now) <= now then return 'expired' end
  if record.crashes >= POISON then return 'poison' end
  return ''
end

-- The owner of a started job is gone. The first time makes it a suspect: any job of that worker may have killed it. The
-- second time counts as one crash: it was the only suspect there. The third time as two, if nothing else ran there.
local function note_lapse(id, record)
  local entry = cmsgpack.pack({ record.attempts, record.worker, tonumber(record.received), now, 'LOST',
    'its worker died or lost its lease' })
  local known = redis.call('HMGET', RECORD .. id, 'deaths', 'alone', 'log')
  log_attempt(id, known[3] or '', entry)
  local deaths = tonumber(known[1]) or record.suspect and record.crashes + 1 or 0 -- an older version counted no deaths
  if record.suspect and record.crashes < POISON then record.crashes = record.crashes + (known[2] and 2 or 1) end
  record.suspect, record.lapsed = true, true
  redis.call('HDEL', RUNNING .. (record.worker or ''), id) -- a worker of an earlier release may have noted it there
  redis.call('HSET', RECORD .. id, 'suspect', 1, 'crashes', record.crashes, 'deaths', deaths + 1)
end

local function look_again(id, queue, key, score, alive)
  redis.call('ZADD', key, score, id)
  if alive then redis.call('ZADD', LEASES .. queue, score, id) end
end

-- How often stock workers have run the job since, if they can have: its producer is one, or its call is a pickle too. As in
-- arq, its next run is the one after.
local function take_tries(id, record, payload)
  local first = payload and payload:byte(1)
  if record.enqueued and first ~= 0x80 and first ~= 0x8f then return 0 end
  local tries = redis.pcall('GET', RETRY .. id)
  if tries then redis.call('DEL', RETRY .. id) end
  return type(tries) == 'string' and tonumber(tries:match('^%d%d?%d?%d?%d?$')) or 0
end

-- Written at once, not in bulk: to the rest of the script, too, somebody has this job.
local function hand_over(id, queue, key, record, payload, why)
  redis.call('SET', IN_PROGRESS .. id, token, 'PXAT', held_until)
  local tries = take_tries(id, record, payload)
  if tries > 0 then
    record.retries = record.retries + tries
    redis.call('HSET', RECORD .. id, 'retries', record.retries)
  end
  if record.state then redis.call('DEL', RETRY .. id) end -- a worker of an earlier release may have had it
  local suspect, crashes = record.suspect and not record.tree, record.crashes
  if record.suspect then redis.call('HDEL', RECORD .. id, 'alone') end
  if why == 'poison' then crashes = redis.call('HGET', RECORD .. id, 'deaths') or crashes + 1 end
  if suspect then suspects_left = suspects_left - 1 end
  if record.parked and why ~= 'keys' then redis.call('HDEL', RECORD .. id, 'parked') end -- `suspended` stays until it is known how it ends: it goes on
  for _, waits in ipairs(record.suspended and why ~= 'keys' and { AWAITING, SUSPENDED } or {}) do redis.call('ZREM', waits, id) end
  if not record.enqueued then redis.call('HSET', RECORD .. id, 'queue', queue, 'enqueued', now) end -- a stock producer's
  local attempts = record.attempts + 1
  redis.call('HSET', RECORD .. id, 'state', 'STARTED', 'owner', token, 'worker', worker,
    'attempts', (why == '' or why == 'keys') and attempts or record.attempts, 'received', now_text) -- one that is to be ended has not started
  if why == 'keys' and not record.state then redis.call('HDEL', RECORD .. id, 'state') -- it is as new once it has its keys
  elseif record.unique and not record.state then give_up_at_start(id, record.unique) end
  if not record.suspended and why ~= 'keys' then note_event(id, 'STARTED', record.task, queue, worker) end
  add_to(leases, queue, lease_end, id)
  local row = { id, queue, payload or '', attempts, record.due or '', record.enqueued or '' }
  rows[#rows + 1] = row
  if why == '' and not record.state and not record.parent and not record.steps and record.retries == 0 then return end
  row[7], row[8], row[9], row[10] = why, record.retries, crashes, record.lapsed and 1 or 0
  row[11], row[12], row[13], row[14] = record.unknown or '', suspect and 1 or 0, record.parent and 1 or 0, record.steps and 1 or 0
end

local function consider(id, queue, key, payload, may_be_held)
  local record = read(id)
  if is_terminal(record.state) then
    redis.call('ZREM', LEASES .. queue, id)
    if redis.call('EXISTS', JOB .. id) == 0 then return redis.call('ZREM', key, id) end -- a stray id: its job has ended
    forget_record(id) -- a stock producer uses the id again
    record = read(id)
  end
  local started = record.state == 'STARTED'
  local left = may_be_held and redis.call('PTTL', IN_PROGRESS .. id) or -2
  if left ~= -2 then -- somebody has it
    if started then return look_again(id, queue, key, now + math.max(left, 1), true) end
    foreign[#foreign + 1] = id return -- a stock worker
  end
  if started and not takeover then return look_again(id, queue, key, now + AGAIN_MS, false) end
  -- A workflow runs no code of its own, and may wait for the next suspect: any number of them is taken up at once.
  if (started or record.suspect) and not record.tree and suspects_left == 0 then
    if started then let_go(id, record.task) else pass_call(id, record.task) end
    return look_again(id, queue, key, now + AGAIN_MS, false)
  end
  payload = payload or redis.call('GET', JOB .. id) -- it was not read yet, or its key is of another type
  if not payload and not record.state and not record.enqueued then -- nothing to run, nothing to tell
    return redis.call('ZREM', key, id)
  end
  if not payload and not record.parent and redis.call('EXISTS', RESULT .. id) == 1 then -- a stock worker has ended it
    let_go(id, record.task)
    forget_record(id)
    return redis.call('ZREM', key, id)
  end
  if started then note_lapse(id, record) end
  local why = verdict(id, record, payload)
  local may_start = why ~= '' or admit(id, key, record.task, record.due or now, now, takeover, record.suspended)
  if may_start == 'keys' then why = 'keys' end
  if not may_start then
    if started then -- its lapse is noted: from here on it waits like any other
      redis.call('HSET', RECORD .. id, 'state', 'PENDING', 'owner', '')
      redis.call('ZREM', LEASES .. queue, id)
    end
    return
  end
  hand_over(id, queue, key, record, payload, why)
end

-- A damaged record must not stop the claims of others: it is tried again much later. The worker moves keys of another
-- type aside, see aside.lua.
local function consider_safely(...)
  local read_well, why = pcall(consider, ...)
  if read_well then return end
  why = type(why) == 'table' and why.err or tostring(why)
  local code = why:match('^(%u+) ') -- of an answer of the server; ERR is one to data
  if code == 'WRONGTYPE' then wrong_type = 1 return end -- what was given so far stays given
  if code and code ~= 'ERR' then error(why, 0) end
  local id, _, key = ...
  unreadable[#unreadable + 1] = { id, why }
  redis.call('ZADD', key, now + UNREADABLE_MS, id)
end

-- The jobs whose lease has lapsed wait longest: they come before what is due.
local function consider_lapsed(queue, key)
  while takeover and suspects_left > 0 and #rows < wanted do
    local lapsed = redis.call('ZRANGE', LEASES .. queue, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
    if not lapsed then return end
    redis.call('ZREM', LEASES .. queue, lapsed)
    consider_safely(lapsed, queue, key, nil, true)
  end
end

-- The payloads of some jobs, and whether somebody has any of them: one command each.
local function look_ahead(ids)
  local payloads, holds = {}, {}
  for i, id in ipairs(ids) do payloads[i], holds[i] = JOB .. id, IN_PROGRESS .. id end
  return redis.call('MGET', unpack(payloads)), redis.call('EXISTS', unpack(holds)) > 0
end

local left_behind, next_due = 0, -1
local function consider_due(queue, key)
  local most = wanted - #rows + READ_AHEAD
  local due = redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  if #due == most then left_behind = 1 end
  local first, last, payloads, some_held = 1, 0, nil, nil
  for i, id in ipairs(due) do
    if #rows == wanted then
      left_behind = 1
      return wake(queue)
    end
    if i > last then
      first, last = i, math.min(i + math.min(wanted - #rows, READ_AT_ONCE) - 1, #due)
      payloads, some_held = look_ahead({ unpack(due, first, last) })
    end
    consider_safely(id, queue, key, payloads[i - first + 1], some_held)
  end
end

for i = 6, #ARGV do claimed_from[ARGV[i]] = true end
for i = 6, #ARGV do
  local queue, key = ARGV[i], queue_key(ARGV[i])
  if redis.call('SISMEMBER', PAUSED, queue) == 0 then
    consider_lapsed(queue, key)
    for _ = 1, ROUNDS do
      local before = calls
      consider_due(queue, key)
      if calls == before or #rows == wanted then break end -- one that cannot start has called the next
    end
    local following = redis.call('ZRANGE', key, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    if following[2] then
      local wait = as_moment(tonumber(following[2])) - now
      if next_due < 0 or wait < next_due then next_due = wait end
    end
  elseif takeover then
    let_go_lapsed(queue, now)
  end
end

-- Up to 128 short members are one list, and each write goes through all of it. A long member makes an index of it for good.
local function note_leases(key, ends)
  if ends[MANY] then redis.call('ZADD', key, 0, LONG) end
  in_bulk('ZADD', key, ends)
  if ends[MANY] then redis.call('ZREM', key, LONG) end
end

for queue, ends in pairs(leases) do
  in_bulk('ZADD', queue_key(queue), ends)
  if not pcall(note_leases, LEASES .. queue, ends) then -- it has to be noted: of another type, the key goes, see aside.lua
    redis.call('DEL', LEASES .. queue)
    note_leases(LEASES .. queue, ends)
  end
end
publish_events(now)
return { rows, next_due, left_behind, foreign, unreadable, wrong_type, now_text }
