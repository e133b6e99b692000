-- Rate limits and concurrency limits of tasks, for all workers together.
--
-- Over a concurrency limit a job waits in a list, by its original due time. A job that ends, retries or is
-- released calls the head of the list; so does one that was called but ends before it starts. One call too many does no
-- harm: a job that finds no room waits again. A holder whose lease has lapsed holds nothing, unless Redis was away.
--
-- A job that was called and finds another of its buckets full has the next called, unless all in that list share the full bucket:
-- then it keeps the call until it starts, and whatever takes it away calls the next in each of its lists. So while there is room in a
-- bucket of a key, its list is empty, or as many are called.
-- include: buckets, rates
local NET_MS = 3600000 -- a job that waits for a holder comes up by itself after this, or up to twice this, should the call be lost
local PASSED_OVER, KEYS_LOOKED_AT, UNSERVED_MS = 300, 100, 30000 -- heads that one script passes over; keys; see is_deaf
local calls = 0 -- how many jobs with keys this script has called
local claimed_from = {} -- queues that a worker claims from in this script: it may not have said yet that it serves them

-- Would nobody claim what is called into this queue?
local function is_deaf(queue)
  if redis.call('SISMEMBER', PAUSED, queue) == 1 then return true end
  return not claimed_from[queue] and moment_ms - (tonumber(redis.call('ZSCORE', SERVED, queue) or 0) or 0) > UNSERVED_MS
end

local pass_call

-- Have the job that has waited longest look again whether it may run; false if none waits.
local function call_next(bucket)
  local taken = 0
  while taken < PASSED_OVER do
    local head = redis.call('ZRANGE', BLOCKED .. bucket.name, 0, 0, 'WITHSCORES')
    if not head[1] then break end
    redis.call('ZREM', BLOCKED .. bucket.name, head[1])
    taken = taken + 1
    local queue, state = unpack(redis.call('HMGET', RECORD .. head[1], 'queue', 'state'))
    queue = queue or 'default'
    if state ~= 'STARTED' and not is_terminal(state) then -- else a worker that knows no keys has run it
      call_job(head[1], queue, head[2])
      wake(queue)
      local deaf = is_deaf(queue)
      if bucket.keyed or deaf then calls = calls + 1 end -- of a plain limit the next claim finds it
      if calls >= PASSED_OVER or not deaf then break end
      if bucket.keyed then pass_call(head[1], bucket.task) end -- it may have kept calls of its other buckets
    end
  end
  if taken > 0 then note_waiting(bucket) end
  return taken > 0
end

local function room_in(bucket)
  return bucket.holders and bucket.holders - redis.call('SCARD', HOLDERS .. bucket.name) or math.huge
end

local function call_if_room(bucket) if room_in(bucket) > 0 then call_next(bucket) end end

-- Call as many as there is room for, up to *most*; returns how much room there is, and how many were called.
local function call_for_room(bucket, most)
  local room, called = room_in(bucket), 0
  while called < math.min(room, most) and call_next(bucket) do called = called + 1 end -- those that find no room wait again
  return room, called
end

-- A holder whose worker is gone has to wait for its own next start: meanwhile another may have its place.
local function let_go(id, task)
  for _, bucket in ipairs((buckets_of(id, task))) do
    if redis.call('SREM', HOLDERS .. bucket.name, id) == 1 then call_next(bucket) end
  end
end

-- Its worker has stalled and goes on, maybe while another has its place: it counts, so that no third starts.
local function hold_again(id, task)
  for _, bucket in ipairs((buckets_of(id, task))) do
    local holders = bucket.holders and HOLDERS .. bucket.name
    if holders then redis.call('SADD', holders, id) end
  end
end

-- Nobody claims from this queue now: holders in it whose worker is gone hold nothing.
local function let_go_lapsed(queue, now)
  for _, id in ipairs(redis.call('ZRANGE', LEASES .. queue, '-inf', now, 'BYSCORE', 'LIMIT', 0, PASSED_OVER)) do
    if redis.call('EXISTS', IN_PROGRESS .. id) == 0 then let_go(id, redis.call('HGET', RECORD .. id, 'task')) end
  end
end

local function let_go_gone(task, bucket)
  for _, holder in ipairs(redis.call('SMEMBERS', HOLDERS .. bucket.name)) do
    if redis.call('EXISTS', IN_PROGRESS .. holder) == 0 then
      let_go(holder, task)
      if bucket.key then redis.call('SREM', HOLDERS .. bucket.name, holder) end -- it ended on a worker that knows no keys
    end
  end
end

-- A worker of an earlier release knows no keys: a job that was called may start and end there, and nobody of its keys is called.
-- All tasks share what one script looks at.
local function look_through_keys(takeover)
  local tasks, left = {}, KEYS_LOOKED_AT
  limits_of('')
  for task in pairs(limits_of_tasks) do
    local own = limits_of(task)
    if own.keyed then
      tasks[#tasks + 1] = own
    elseif own.holders then
      call_for_room(own, PASSED_OVER - calls)
    end
  end
  for i, own in ipairs(tasks) do
    local keys = redis.call('ZRANDMEMBER', WAITING .. own.name, math.max(math.ceil(left / (#tasks - i + 1)), 1))
    left = left - #keys
    for _, key in ipairs(keys) do
      local bucket = keyed_buckets(key, own)[1]
      if takeover then let_go_gone(own.name, bucket) end
      call_for_room(bucket, PASSED_OVER - calls)
    end
    call_for_room(own, PASSED_OVER - calls)
  end
end

-- When a job comes up that nobody calls: jobs that came to wait together do not come up together, before all newer ones.
local function net_of(id, now) return now + NET_MS + math.floor(NET_MS * tonumber(redis.sha1hex(id):sub(1, 6), 16) / 0x1000000) end

-- True if the job may run with those of this bucket that do; otherwise it waits for one of them to end.
local looked_at = {}
local function keep_concurrency(id, key, task, bucket, due, now, takeover)
  local holders, blocked = HOLDERS .. bucket.name, BLOCKED .. bucket.name
  bucket.held = redis.call('SISMEMBER', holders, id) == 1
  if bucket.held and redis.call('SCARD', holders) <= bucket.holders then return true end -- unless there are fewer places now
  if takeover and redis.call('SCARD', holders) >= bucket.holders and not looked_at[bucket.name] then
    looked_at[bucket.name] = true
    let_go_gone(task, bucket)
  end
  if redis.call('SCARD', holders) >= bucket.holders then
    redis.call('ZADD', blocked, as_moment(tonumber(due) or now), id)
    redis.call('ZADD', key, net_of(id, now), id)
    note_waiting(bucket)
    return false
  end
  if redis.call('ZREM', blocked, id) == 1 then note_waiting(bucket) end
  return true
end

-- A job waits for room in *full*: it waits for no other, and who waits for those may go first.
local function pass_on(id, buckets, full)
  for _, bucket in ipairs(buckets) do
    if bucket.held and redis.call('SREM', HOLDERS .. bucket.name, id) == 1 then call_if_room(bucket) end
    if bucket ~= full then
      if redis.call('ZREM', BLOCKED .. bucket.name, id) == 1 then note_waiting(bucket) end
      if not covers(full, bucket) then
        leave_place(id, bucket)
        call_if_room(bucket)
      end
    end
  end
  return false
end

-- May a due job of this task start now? Only if all of its buckets have room: it takes all its places, or none. One that *goes_on*
-- is no start for a rate. `keys` if a worker has to say first which keys it has.
local function admit(id, key, task, due, now, takeover, goes_on)
  local buckets, is_whole = buckets_of(id, task)
  if not is_whole then return 'keys' end
  for _, bucket in ipairs(buckets) do
    local has_room = not bucket.holders or keep_concurrency(id, key, task, bucket, due, now, takeover)
    if not has_room then return pass_on(id, buckets, bucket) end
  end
  for _, bucket in ipairs(buckets) do
    if bucket.count and not goes_on and not keep_rate(id, key, bucket, now) then return pass_on(id, buckets, bucket) end
  end
  for _, bucket in ipairs(buckets) do
    if bucket.count and not goes_on then take_start(id, bucket, now) end
    if bucket.holders then redis.call('SADD', HOLDERS .. bucket.name, id) end
  end
  return true
end

-- A job that may have been called cannot start soon: the others that wait for its buckets may.
function pass_call(id, task)
  for _, bucket in ipairs((buckets_of(id, task))) do call_if_room(bucket) end
end

-- A job runs no longer, or will not run: it holds nothing, and what it held goes to the next.
local function give_back(id, task)
  for _, bucket in ipairs((buckets_of(id, task))) do
    if bucket.count or not bucket.key then leave_place(id, bucket) end
    redis.call('SREM', HOLDERS .. bucket.name, id)
    if redis.call('ZREM', BLOCKED .. bucket.name, id) == 1 then
      note_waiting(bucket)
    elseif bucket.keyed then
      call_if_room(bucket)
    else
      call_next(bucket)
    end
  end
end
