-- Rate limits and concurrency limits of tasks, for all workers together.
--
-- A rate of n in a window is kept by spacing. Each waiting job reserves a start, SLOWER * window / n after the one before.
-- Its score moves there, so it holds no slot and hides no other job. A start is allowed while it is not earlier than `tat`
-- (when the next start is due if all keep their spacing) by more than TOLERANCE * window. SLOWER and TOLERANCE together
-- make n + 1 starts in one window impossible, whatever the workers' delays.
--
-- Over its concurrency limit a job waits in a list for its task, by its original due time. A job that ends, retries or is
-- released calls the head of the list; so does one that was called but ends before it starts. One call too many does no
-- harm: a job that finds no room waits again. A holder whose lease has lapsed holds nothing, unless Redis was away.
local SLOWER, TOLERANCE = 1.05, 0.04
local NET_MS = 3600000 -- a job that waits for a holder comes up by itself after this, should the call be lost

local limits_of_tasks -- task -> { rate, window, concurrency }, read once for each script

local function limits_of(task)
  if not limits_of_tasks then
    limits_of_tasks = {}
    local all = redis.call('HGETALL', LIMITS)
    for i = 1, #all, 2 do
      local name, what = all[i]:match('^(.*)|(%a+)$')
      if name then -- else it is damaged
        limits_of_tasks[name] = limits_of_tasks[name] or {}
        limits_of_tasks[name][what] = all[i + 1]
      end
    end
  end
  local limits = limits_of_tasks[task or '']
  if not limits then return nil end
  local rate = limits.override or limits.rate or ''
  local count, window = rate:match('^([%d.e+-]+) (%d+)$') -- once written as 1e+06
  count, window = tonumber(count), tonumber(window)
  if not (count and count > 0 and count < math.huge and window and window < LAST_MS) then count, window = nil, nil end
  return { count = count, window = window, holders = tonumber(limits.holders) }
end

local function spacing_of(limits) return SLOWER * limits.window / limits.count end

-- A job of a task with a rate limit is due. True if it may start now; otherwise it has moved to a place of its own.
local denied = {}
local function keep_rate(id, key, task, limits, now)
  local rate = RATE .. task
  local known = redis.call('HMGET', rate, 'tat', 'next')
  local tat, next_place = tonumber(known[1] or 0) or 0, tonumber(known[2] or 0) or 0
  if not (tat < LAST_MS and next_place < LAST_MS) then tat, next_place = 0, 0 end -- damaged: no job would ever start
  local spacing, tolerance = spacing_of(limits), TOLERANCE * limits.window
  local has_place = redis.call('ZSCORE', PLACES .. task, id)
  local place = now
  if not has_place and next_place > now then
    place = next_place
    redis.call('HSET', rate, 'next', place + spacing)
  elseif now < tat - tolerance then -- late ones came together: each a spacing after the other
    denied[task] = (denied[task] or 0) + 1
    place = tat + (denied[task] - 1) * spacing
    redis.call('HSET', rate, 'next', math.max(next_place, place + spacing))
  end
  if place > now then
    redis.call('ZADD', PLACES .. task, place, id)
    redis.call('ZADD', key, math.ceil(place), id)
    return false
  end
  redis.call('ZREM', PLACES .. task, id)
  local next_tat = math.max(tat, now) + spacing
  redis.call('HSET', rate, 'tat', next_tat, 'next', math.max(next_place, next_tat))
  return true
end

-- Have the job that has waited longest look again whether it may run; false if none waits.
local function call_next(task)
  local head = redis.call('ZRANGE', BLOCKED .. task, 0, 0, 'WITHSCORES')
  if not head[1] then return false end
  redis.call('ZREM', BLOCKED .. task, head[1])
  local queue = redis.call('HGET', RECORD .. head[1], 'queue') or 'default'
  call_job(head[1], queue, head[2])
  wake(queue)
  return true
end

-- A holder whose worker is gone has to wait for its own next start: meanwhile another may have its place.
local function let_go(id, task) if limits_of(task) and redis.call('SREM', HOLDERS .. task, id) == 1 then call_next(task) end end

-- True if the job may run with those of its task that do; otherwise it waits for one of them to end.
local looked_at = {}
local function keep_concurrency(id, key, task, limits, due, now, takeover)
  local holders = HOLDERS .. task
  if redis.call('SISMEMBER', holders, id) == 1 then return true end
  if takeover and redis.call('SCARD', holders) >= limits.holders and not looked_at[task] then
    looked_at[task] = true
    for _, holder in ipairs(redis.call('SMEMBERS', holders)) do
      if redis.call('EXISTS', IN_PROGRESS .. holder) == 0 then let_go(holder, task) end
    end
  end
  if redis.call('SCARD', holders) >= limits.holders then
    redis.call('ZADD', BLOCKED .. task, as_moment(tonumber(due) or now), id)
    redis.call('ZADD', key, now + NET_MS, id)
    return false
  end
  redis.call('ZREM', BLOCKED .. task, id)
  return true
end

-- May a due job of this task start now?
local function admit(id, key, task, due, now, takeover)
  local limits = limits_of(task)
  if not limits then return true end
  if limits.holders and not keep_concurrency(id, key, task, limits, due, now, takeover) then return false end
  if limits.count and not keep_rate(id, key, task, limits, now) then return false end
  if limits.holders then redis.call('SADD', HOLDERS .. task, id) end
  return true
end

-- A job runs no longer, or will not run: it holds nothing, and what it held goes to the next.
local function give_back(id, task)
  if not limits_of(task) then return end
  local place = redis.call('ZSCORE', PLACES .. task, id)
  if place then -- the last takes the place that is free now
    redis.call('ZREM', PLACES .. task, id)
    local last = redis.call('ZRANGE', PLACES .. task, -1, -1, 'WITHSCORES')
    if last[1] and tonumber(last[2]) > tonumber(place) then
      redis.call('ZADD', PLACES .. task, place, last[1])
      call_job(last[1], redis.call('HGET', RECORD .. last[1], 'queue'), place)
      redis.call('HSET', RATE .. task, 'next', last[2])
    else
      redis.call('HSET', RATE .. task, 'next', place)
    end
  end
  redis.call('SREM', HOLDERS .. task, id)
  if redis.call('ZREM', BLOCKED .. task, id) == 0 then call_next(task) end
end
