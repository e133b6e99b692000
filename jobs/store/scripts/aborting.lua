-- Stock `Job.abort()`: the entries of its list become revokes, and are removed.
local ABORTS_READ = 100

local function absorb_aborts()
  if redis.call('EXISTS', ABORT) == 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', ABORT, 0, ABORTS_READ)) do
    redis.call('ZREM', ABORT, id)
    local record = redis.call('HMGET', RECORD .. id, 'state', 'worker')
    if redis.call('EXISTS', JOB .. id) == 1 and not is_terminal(record[1]) then
      redis.call('HSET', RECORD .. id, 'revoked', 'terminate')
      if record[1] == 'STARTED' and record[2] then redis.pcall('PUBLISH', CONTROL .. record[2], 'revoke ' .. id) end
    end
  end
end
