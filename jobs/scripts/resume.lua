-- Begin a workflow that has failed or was revoked again, keeping what has succeeded: the journal forgets the ends given, and
-- the jobs they were of. The workflow keeps its id, and is due now.
-- ARGV: workflow id, then for each end to be forgotten its path   Returns 1, or 0 if the workflow has not failed.
local id = ARGV[1]
local now = now_ms()
local record = redis.call('HMGET', RECORD .. id, 'state', 'payload', 'queue', 'tree')
if not record[4] or not record[2] or record[1] == 'SUCCESS' or not is_terminal(record[1]) then return 0 end
if redis.call('EXISTS', TREE .. id) == 0 then return 0 end
for i = 2, #ARGV do
  local member = id .. ':' .. ARGV[i]
  redis.call('HDEL', JOURNAL .. id, ARGV[i])
  redis.call('UNLINK', RECORD .. member, RESULT .. member)
  redis.call('ZREM', HISTORY, member)
end
redis.call('PERSIST', TREE .. id)
redis.call('PERSIST', JOURNAL .. id)
redis.call('UNLINK', RESULT .. id)
redis.call('ZREM', HISTORY, id)
redis.call('HDEL', RECORD .. id, 'until', 'finished', 'revoked', 'owner', 'payload', 'run', 'meta')
redis.call('HSET', RECORD .. id, 'state', 'PENDING', 'due', now)
redis.call('SET', JOB .. id, record[2])
redis.call('ZADD', queue_key(record[3]), now, id)
wake(record[3])
return 1
