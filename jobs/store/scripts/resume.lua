-- Begin a workflow, or a job with steps, that has failed or was revoked again, keeping what has succeeded: the journal forgets the
-- ends given, and the jobs they were of; a member that succeeded after its workflow had ended is kept as well, one that still runs goes on.
-- It keeps its id, and is due now.
-- ARGV: id; of a workflow what the ids of its members begin with, and the path of each task that has not succeeded, as the journal says
-- Returns 1; 0 if it has not failed; or the id of another job, which has its key by now.
-- include: keeping, unique
local id, prefix = ARGV[1], ARGV[2]
local now = now_ms()
local record = redis.call('HMGET', RECORD .. id, 'state', 'payload', 'queue', 'tree', 'steps', 'until', 'unique')
record[2] = record[2] or redis.call('GET', ENDED_CALL .. id)
if not (record[4] or record[5]) or not record[2] or record[1] == 'SUCCESS' or not is_terminal(record[1]) then return 0 end
if not record[4] and (tonumber(record[6] or 0) or 0) <= now then return 0 end -- its steps have ended with its result
local kind, key = parts_of(record[7])
if not record[4] and kind == 'end' then -- it needs its key again
  local other = redis.call('GET', UNIQUE .. key)
  if other and other ~= id and redis.call('EXISTS', JOB .. other) == 1 then return other end
  redis.call('SET', UNIQUE .. key, id)
end
if record[4] and redis.call('EXISTS', TREE .. id) == 0 then return 0 end

local since = life_of(id) or 0
for i = 3, #ARGV do forget_or_keep(id, prefix .. ARGV[i], ARGV[i], since) end
if record[5] then forget_failures(id, false, since) end
for _, key in ipairs({ TREE, JOURNAL }) do redis.call('PERSIST', key .. id) end
redis.call('UNLINK', RESULT .. id, ENDED_CALL .. id)
unlist(id)
redis.call('HDEL', RECORD .. id, 'until', 'finished', 'retries', 'revoked', 'owner', 'payload', 'run', 'meta', 'parked', 'suspect', 'crashes', 'deaths',
  'expires', 'suspended')
redis.call('HSET', RECORD .. id, 'state', 'PENDING', 'due', now)
redis.call('SET', JOB .. id, record[2])
redis.call('ZADD', queue_key(record[3]), now, id)
wake(record[3])
return 1
