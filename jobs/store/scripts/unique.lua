-- Of the calls with one key, one is stored: the key has the id of its job, and is void once that job does not need it.
-- A call's `unique` is: kind, names of parameters, `<task>:<digest>`, what a conflict does, ms of its window or debounce,
-- ms of its max_wait or 0. The first three are `unique` of a record. A job has its key,
--   end       until it ends                             start     until its first claim, and never again
--   window    so long, whatever becomes of it           debounce  as start; each call moves it, the last arguments win
-- `folded`: how many other calls were answered with the id of a job; `fold`: the last one; `latest`: it is due no later.
local UNTIL_START = { start = true, debounce = true }

local function parts_of(unique) return (unique or ''):match('^(%a+) %S+ (.+)$') end

-- A job does not need its key any more, unless another has it by now; a window ends by itself.
local function give_up(id, unique)
  local kind, key = parts_of(unique)
  if kind and kind ~= 'window' and redis.pcall('GET', UNIQUE .. key) == id then redis.call('DEL', UNIQUE .. key) end
end

local function give_up_at_start(id, unique)
  if UNTIL_START[parts_of(unique)] then give_up(id, unique) end
end

-- The job that has the key of this call; nothing if none has. One that has expired, and was not looked at yet, never runs.
local function holder_of(call, now)
  local kind, _, key, _, ms = unpack(call.unique)
  local id = redis.call('GET', UNIQUE .. key)
  if not id then return end
  local r = redis.call('HMGET', RECORD .. id, 'unique', 'state', 'enqueued', 'expires', 'due', 'queue', 'task', 'parent', 'fold',
    'latest', 'keys', 'steps')
  local own_kind, own_key = parts_of(r[1])
  local state, has_job, is_own = r[2], redis.call('EXISTS', JOB .. id) == 1, own_key == key
  local is_unfinished = has_job and is_own and not is_terminal(state)
  if kind == 'window' then
    local since = is_own and tonumber(r[3])
    if since and since + ms <= now then return end
  else
    if not is_unfinished or state and (UNTIL_START[kind] or UNTIL_START[own_kind]) then return end
    if not state and r[4] and (tonumber(r[4]) or now) <= now then return end
  end
  local is_plain = is_unfinished and not r[8] and not r[12] -- no member, and no step of it is recorded
  local waits = is_plain and state ~= 'STARTED' and redis.call('EXISTS', IN_PROGRESS .. id) == 0
  return { id = id, state = state, has_record = is_own, waits = waits, due = tonumber(r[5]) or now, queue = r[6] or 'default',
    task = r[7], fold = r[9], latest = tonumber(r[10]), keys = r[11] or nil }
end

-- A job that waits takes what a later call says, under its own id. One that is due keeps its place in the queue.
local function replace(holder, call, now)
  local id, due = holder.id, moment(call.due, now) or now
  if call.unique[1] == 'debounce' then due = math.min(due, holder.latest or due)
  elseif due <= now then due = math.min(due, holder.due) end
  local moves = due ~= holder.due or call.queue ~= holder.queue or call.keys ~= holder.keys -- those of its limits
  if moves then
    give_back(id, holder.task)
    redis.call('ZREM', queue_key(holder.queue), id)
    redis.call('SADD', QUEUES, call.queue)
    redis.call('ZADD', queue_key(call.queue), due, id)
  end
  redis.call('SET', JOB .. id, call.payload)
  redis.call('HSET', RECORD .. id, 'task', call.task, 'queue', call.queue, 'due', as_text(due))
  if call.keys ~= holder.keys then redis.call('HSET', RECORD .. id, 'keys', call.keys or '') end
  local expires = not holder.state and moment(call.expires, now) -- one that has begun does not expire
  if expires then redis.call('HSET', RECORD .. id, 'expires', expires) else redis.call('HDEL', RECORD .. id, 'expires') end
  if moves and (due <= now or due < holder.due or call.queue ~= holder.queue) then wake(call.queue) end
end

-- The id of the job that has the key of a call, which is then folded into it; nothing if the call is to be stored.
local function answer_of_key(call, now)
  local holder = holder_of(call, now)
  if not holder then return end
  local id, conflict = holder.id, call.unique[4]
  if call.parent or conflict == 'error' or id == call.id then return id end
  call.replaced = conflict == 'replace' and holder.waits
  if holder.fold == call.id then return id end
  if call.replaced then replace(holder, call, now) end
  if holder.has_record then
    redis.pcall('HINCRBY', RECORD .. id, 'folded', 1)
    redis.call('HSET', RECORD .. id, 'fold', call.id)
  end
  redis.pcall('HINCRBY', TOTALS, call.task .. '|FOLDED', 1)
  note_event(id, 'FOLDED', call.task, holder.queue)
  return id
end

-- The key of a call as schedules keep it; nothing for none.
local function key_of(packed) return packed and packed ~= '' and cmsgpack.unpack(packed) or nil end

-- The call is stored as the job that has its key: last of all, so that no key is of a job that is not there.
local function hold_key(call, now)
  local kind, names, key, _, ms, max_wait = unpack(call.unique)
  redis.call('HSET', RECORD .. call.id, 'unique', table.concat({ kind, names, key }, ' '))
  if max_wait > 0 then redis.call('HSET', RECORD .. call.id, 'latest', as_text(now + max_wait)) end
  if kind == 'window' then
    redis.call('SET', UNIQUE .. key, call.id, 'PXAT', as_text(real_ms + ms))
  else
    redis.call('SET', UNIQUE .. key, call.id)
  end
end
