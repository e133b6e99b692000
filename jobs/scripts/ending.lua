-- What the end of a job is, whoever causes it: its keys go, its record and result stay for their time, waiters hear.

local told = {} -- channel -> ids, so that a caller hears of a whole batch in one message

local function tell(channel, id)
  if channel and channel ~= '' then
    told[channel] = told[channel] or {}
    table.insert(told[channel], id)
  end
end

local function end_job(id, state, result, ttl, now, record)
  local queue, reply, waited = record.queue, record.reply, record.waited
  if result ~= '' and ttl > 0 then
    redis.call('SET', RESULT .. id, result, 'PX', ttl)
  end
  redis.call('DEL', JOB .. id, IN_PROGRESS .. id, RETRY .. id)
  redis.call('ZREM', queue_key(queue), id)
  redis.call('HSET', RECORD .. id, 'state', state, 'finished', now, 'until', now + ttl)
  redis.call('ZADD', HISTORY, now, id)
  tell(reply, id)
  if waited then
    for _, channel in ipairs(redis.call('SMEMBERS', WAITERS .. id)) do tell(channel, id) end
    redis.call('DEL', WAITERS .. id)
  end
end

local function tell_waiters()
  for channel, ids in pairs(told) do redis.call('PUBLISH', REPLY .. channel, cmsgpack.pack(ids)) end
end

-- The record of an ended job lives until `kept` others have ended after it.
local function trim_history(kept)
  local excess = redis.call('ZCARD', HISTORY) - kept
  if excess <= 0 then return end
  for _, entry in ipairs(redis.call('ZRANGE', HISTORY, 0, excess - 1)) do redis.call('UNLINK', RECORD .. entry) end
  redis.call('ZREMRANGEBYRANK', HISTORY, 0, excess - 1)
end
