-- Keep the leases of a worker's jobs, and say that the worker lives. A lapsed lease that nobody took is kept too.
-- ARGV: worker, lease ms, number of facts about the worker, facts ..., then for each job id, token
-- Returns the ids that another worker owns now, and those that are to be stopped.
-- flags: allow-oom
-- include: aborting
-- include: alive
local worker, lease, facts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_ms()
local lost, revoked = {}, {}

absorb_aborts() -- here too: a worker with no free slot does not claim
for i = 4 + facts, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local record = redis.call('HMGET', RECORD .. id, 'owner', 'state', 'queue', 'revoked')
  if record[1] ~= token then
    lost[#lost + 1] = id
  elseif record[2] == 'STARTED' then
    redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease)
    redis.call('ZADD', queue_key(record[3]), now + lease, id)
    redis.call('ZADD', LEASES .. record[3], now + lease, id)
    if record[4] == 'terminate' then revoked[#revoked + 1] = id end
  end
end
note_alive(now)
redis.call('ZADD', WORKERS, now, worker)
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', now - WORKER_FORGOTTEN_MS)
redis.call('HSET', WORKER .. worker, 'seen', now, unpack(ARGV, 4, 3 + facts))
redis.call('PEXPIRE', WORKER .. worker, WORKER_FORGOTTEN_MS)
return { lost, revoked }
