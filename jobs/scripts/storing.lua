-- What storing a call is: its payload, its record and its place in the queue, unless its id is taken.

-- Is this id that of a job, or of a result that has not ended?
local function taken(id, now)
  if redis.call('EXISTS', JOB .. id, RESULT .. id) > 0 then return true end
  local record = redis.call('HMGET', RECORD .. id, 'until', 'state')
  if record[1] and tonumber(record[1]) > now then return true end
  if record[1] or record[2] then -- an earlier life of this id
    redis.call('UNLINK', RECORD .. id)
    redis.call('ZREM', HISTORY, id)
  end
  return false
end

local function store(id, queue, payload, score, expires, task, reply, now)
  local record = { 'task', task, 'queue', queue, 'enqueued', now, 'due', score, 'reply', reply }
  if expires then
    record[#record + 1] = 'expires'
    record[#record + 1] = expires
  end
  redis.call('SET', JOB .. id, payload)
  redis.call('HSET', RECORD .. id, unpack(record))
  redis.call('ZADD', queue_key(queue), score, id)
end
