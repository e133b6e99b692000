-- Begin a workflow, or a job with steps, that has failed or was revoked again, keeping what has succeeded: the journal forgets the
-- ends given, and the jobs they were of; a member that succeeded after its workflow had ended is kept as well, one that still runs goes on.
-- It keeps its id, and is due now.
-- ARGV: id, what the ids of its members begin with, a packed list of steps to be forgotten, then the path of each task that has not succeeded, as the journal says
-- Returns 1; 0 if it has not failed; or the id of another job, which has its key by now.
-- include: forgetting
local id, prefix, steps = ARGV[1], ARGV[2], cmsgpack.unpack(ARGV[3])
local now = now_ms()
local record = redis.call('HMGET', RECORD .. id, 'state', 'payload', 'queue', 'tree', 'enqueued', 'steps', 'until', 'unique')
record[2] = record[2] or redis.call('GET', ENDED_CALL .. id)
if not (record[4] or record[6]) or not record[2] or record[1] == 'SUCCESS' or not is_terminal(record[1]) then return 0 end
if not record[4] and (tonumber(record[7] or 0) or 0) <= now then return 0 end -- its steps have ended with its result
local kind, key = (record[8] or ''):match('^(%a+) %S+ (.+)$')
if not record[4] and kind == 'end' then -- it needs its key again
  local other = redis.call('GET', UNIQUE .. key)
  if other and other ~= id and redis.call('EXISTS', JOB .. other) == 1 then return other end
  redis.call('SET', UNIQUE .. key, id)
end
if record[4] and redis.call('EXISTS', TREE .. id) == 0 then return 0 end

local function forget_or_keep(path)
  local member = prefix .. path
  local state, finished = unpack(redis.call('HMGET', RECORD .. member, 'state', 'finished'))
  if state == 'SUCCESS' and (tonumber(finished or 0) or 0) >= (tonumber(record[5] or 0) or 0) then
    return redis.call('HSET', JOURNAL .. id, path, 'S' .. (redis.call('GET', RESULT .. member) or ''))
  end
  redis.call('HDEL', JOURNAL .. id, path)
  if redis.call('EXISTS', JOB .. member) == 0 then
    forget_record(member)
    redis.call('UNLINK', RESULT .. member)
  end
end

for i = 4, #ARGV do forget_or_keep(ARGV[i]) end
if steps[1] then forget_steps(id, steps) end
for _, key in ipairs({ TREE, JOURNAL, STEPS }) do redis.call('PERSIST', key .. id) end
redis.call('UNLINK', RESULT .. id, ENDED_CALL .. id)
unlist(id)
redis.call('HDEL', RECORD .. id, 'until', 'finished', 'retries', 'revoked', 'owner', 'payload', 'run', 'meta', 'parked', 'suspect', 'crashes', 'deaths',
  'expires')
redis.call('HSET', RECORD .. id, 'state', 'PENDING', 'due', now)
redis.call('SET', JOB .. id, record[2])
redis.call('ZADD', queue_key(record[3]), now, id)
wake(record[3])
return 1
