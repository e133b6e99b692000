-- Rate limits and concurrency limits of tasks, for all workers together.
--
-- Over a concurrency limit a job waits in a list, by its original due time. A job that ends, retries or is
-- released calls the head of the list; so does one that was called but ends before it starts. One call too many does no
-- harm: a job that finds no room waits again. A holder whose lease has lapsed holds nothing, unless Redis was away.
-- include: buckets, rates
local NET_MS = 3600000 -- a job that waits for a holder comes up by itself after this, should the call be lost

-- Have the job that has waited longest look again whether it may run; false if none waits.
local function call_next(bucket)
  local head = redis.call('ZRANGE', BLOCKED .. bucket.name, 0, 0, 'WITHSCORES')
  if not head[1] then return false end
  redis.call('ZREM', BLOCKED .. bucket.name, head[1])
  local queue = redis.call('HGET', RECORD .. head[1], 'queue') or 'default'
  call_job(head[1], queue, head[2])
  wake(queue)
  return true
end

-- A holder whose worker is gone has to wait for its own next start: meanwhile another may have its place.
local function let_go(id, task)
  local own = limits_of(task)
  for _, bucket in ipairs(own and buckets_of(id, own) or {}) do
    if redis.call('SREM', HOLDERS .. bucket.name, id) == 1 then call_next(bucket) end
  end
end

-- True if the job may run with those of this bucket that do; otherwise it waits for one of them to end.
local looked_at = {}
local function keep_concurrency(id, key, task, bucket, due, now, takeover)
  local holders, blocked = HOLDERS .. bucket.name, BLOCKED .. bucket.name
  if redis.call('SISMEMBER', holders, id) == 1 then return true end
  if takeover and redis.call('SCARD', holders) >= bucket.holders and not looked_at[bucket.name] then
    looked_at[bucket.name] = true
    for _, holder in ipairs(redis.call('SMEMBERS', holders)) do
      if redis.call('EXISTS', IN_PROGRESS .. holder) == 0 then let_go(holder, task) end
    end
  end
  if redis.call('SCARD', holders) >= bucket.holders then
    redis.call('ZADD', blocked, as_moment(tonumber(due) or now), id)
    redis.call('ZADD', key, now + NET_MS, id)
    return false
  end
  redis.call('ZREM', blocked, id)
  return true
end

-- May a due job of this task start now? Only if all of its buckets have room: it takes all its places, or none. One that *goes_on*
-- is no start for a rate.
local function admit(id, key, task, due, now, takeover, goes_on)
  local own = limits_of(task)
  if not own then return true end
  local buckets = buckets_of(id, own)
  for _, bucket in ipairs(buckets) do
    if bucket.holders and not keep_concurrency(id, key, task, bucket, due, now, takeover) then return false end
  end
  for _, bucket in ipairs(buckets) do
    if bucket.count and not goes_on and not keep_rate(id, key, bucket, now) then return false end
  end
  for _, bucket in ipairs(buckets) do
    if bucket.count and not goes_on then take_start(id, bucket, now) end
    if bucket.holders then redis.call('SADD', HOLDERS .. bucket.name, id) end
  end
  return true
end

-- A job runs no longer, or will not run: it holds nothing, and what it held goes to the next.
local function give_back(id, task)
  local own = limits_of(task)
  for _, bucket in ipairs(own and buckets_of(id, own) or {}) do
    leave_place(id, bucket)
    redis.call('SREM', HOLDERS .. bucket.name, id)
    if redis.call('ZREM', BLOCKED .. bucket.name, id) == 0 then call_next(bucket) end
  end
end
