-- Stock `Job.abort()`: what runs here is revoked. A job that waits, or that a stock worker runs, stays in arq's list for the
-- worker that takes it, ours or a stock one; it moves to the end, so that all are looked at in turn.
local ABORTS_READ = 100

local function absorb_aborts(now)
  if redis.call('EXISTS', ABORT) == 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', ABORT, 0, ABORTS_READ)) do
    local record = redis.call('HMGET', RECORD .. id, 'state', 'worker', 'tree')
    local has_ended = redis.call('EXISTS', JOB .. id) == 0 or is_terminal(record[1])
    local is_ours = record[1] == 'STARTED' or record[3]
    if has_ended or is_ours then redis.call('ZREM', ABORT, id) else redis.call('ZADD', ABORT, now, id) end
    if is_ours and not has_ended then
      redis.call('HSET', RECORD .. id, 'revoked', 'terminate')
      if record[1] == 'STARTED' and record[2] then redis.pcall('PUBLISH', CONTROL .. record[2], 'revoke ' .. id) end
    end
  end
  return true
end
