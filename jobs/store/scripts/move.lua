-- Move waiting jobs to another queue, each with its place in time and with what its limits hold for it. One that runs, has ended,
-- is unknown, or is a workflow that waits for its members stays.
-- ARGV: queue, ids ...   Returns for each: 1 moved, 2 it is there already, 0 it stays.
-- include: limits
local to, answers = ARGV[1], {}
now_ms()

local function move(id)
  local state, from, due, unknown, parked, task = unpack(redis.call('HMGET', RECORD .. id, 'state', 'queue', 'due', 'unknown', 'parked',
    'task'))
  local score = redis.call('ZSCORE', queue_key(from), id)
  if not score or parked or state == 'STARTED' or is_terminal(state) then return 0 end
  if redis.call('EXISTS', JOB .. id) == 0 or redis.call('EXISTS', IN_PROGRESS .. id) == 1 then return 0 end
  if (from or 'default') == to then return 2 end
  if unknown and unknown ~= '' then -- workers there did not know its task: these are asked at once
    score = due or score
    redis.call('HDEL', RECORD .. id, 'unknown')
  end
  redis.call('ZADD', queue_key(to), score, id)
  redis.call('ZREM', queue_key(from), id)
  redis.call('HSET', RECORD .. id, 'queue', to)
  pass_call(id, task)
  return 1
end

redis.call('SADD', QUEUES, to)
for i = 2, #ARGV do answers[i - 1] = move(ARGV[i]) end
wake(to)
return answers
