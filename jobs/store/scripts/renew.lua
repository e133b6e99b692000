-- Keep the leases of a worker's jobs, and say that the worker lives. A lapsed lease that nobody took is kept too.
-- Note with the minute's counters how much is due in the worker's queues, and for how long; under the empty name, the same of
-- queues that nobody serves. Forget names of queues that hold nothing and that nobody has served for as long as these counters
-- are kept, some at a time.
-- ARGV: worker, lease ms, its queues with commas, number of words about its tasks, of facts about itself, those words and
--   facts, then for each job id, token
-- Returns the ids that another worker owns now, and those that are to be stopped.
-- flags: allow-oom
-- include: aborting, alive, depth, limits
local worker, lease, queues, tasks, facts = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local LOOKED_AT_ONCE = 50
local now = now_ms()
local lost, revoked = {}, {}

absorb_aborts(now) -- here too: a worker with no free slot does not claim
for i = 6 + tasks + facts, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local record = redis.call('HMGET', RECORD .. id, 'owner', 'state', 'queue', 'revoked', 'task')
  if record[1] ~= token then
    lost[#lost + 1] = id
  elseif record[2] == 'STARTED' then
    if not redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease, 'XX') then -- it has lapsed
      redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease)
      hold_again(id, record[5])
    end
    redis.call('ZADD', queue_key(record[3]), now + lease, id)
    redis.call('ZADD', LEASES .. (record[3] or 'default'), now + lease, id)
    if record[4] == 'terminate' then revoked[#revoked + 1] = id end
  end
end
local takeover = note_alive(now)
look_through_keys(takeover)
redis.call('ZADD', WORKERS, now, worker)
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', now - WORKER_FORGOTTEN_MS)
redis.call('HSET', WORKER .. worker, 'seen', now, unpack(ARGV, 6 + tasks, 5 + tasks + facts))
redis.call('PEXPIRE', WORKER .. worker, WORKER_FORGOTTEN_MS)
local version = redis.call('HGET', WORKER .. worker, 'version') or ''
if version ~= '' and redis.call('ZADD', VERSIONS, 'NX', now, version) == 1 then
  redis.call('ZREMRANGEBYRANK', VERSIONS, 0, -VERSIONS_KEPT - 1)
end
if tasks > 0 then redis.call('HSET', TASKS, unpack(ARGV, 6, 5 + tasks)) end

local minute = STATS .. math.floor(now / 60000)
for queue in queues:gmatch('[^,]+') do
  redis.call('ZADD', SERVED, now, queue)
  redis.call('SADD', QUEUES, queue)
  local due, oldest = depth_of(queue, now)
  redis.call('HSET', minute, '|due|' .. queue, due, '|oldest|' .. queue, as_text(oldest))
end
redis.call('EXPIRE', minute, STATS_KEPT_S)
redis.call('ZREMRANGEBYSCORE', SERVED, '-inf', now - STATS_KEPT_S * 1000)
local unserved_due, unserved_for = 0, 0
for _, queue in ipairs(redis.call('SRANDMEMBER', QUEUES, LOOKED_AT_ONCE)) do
  local served, kind = redis.call('ZSCORE', SERVED, queue), redis.call('TYPE', queue_key(queue)).ok
  if kind == 'none' and not served then
    redis.call('SREM', QUEUES, queue)
  elseif kind == 'zset' and (not served or now - served > UNSERVED_MS) then -- it may be any key that somebody named
    local due, oldest = depth_of(queue, now)
    unserved_due, unserved_for = unserved_due + due, math.max(unserved_for, oldest)
    if takeover then let_go_lapsed(queue, now) end
  end
end
redis.call('HSET', minute, '|due|', unserved_due, '|oldest|', as_text(unserved_for))
return { lost, revoked }
