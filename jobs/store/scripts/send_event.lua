-- Give an event to a job that has not ended: it takes the first place of this name that neither an event nor a time-out has. A job
-- that waits for it is due now. The same event again changes nothing: its entry is unlike any other.
-- ARGV: id, name of its places, entry, 1 if it is for an open wait alone   Returns the number of the place, 0 if no such job is
--   unfinished, TOO_MANY, TOO_LARGE or NO_WAIT;
--   and 1 if a wait has this place, 0 if it is for one to come.
-- include: recording
local id, name, entry, is_answer = unpack(ARGV)
local NO_WAIT = -4
local now = now_ms()
local state, steps, parked, queue, waits = unpack(redis.call('HMGET', RECORD .. id, 'state', 'steps', 'parked', 'queue', 'suspended'))
if redis.call('EXISTS', JOB .. id) == 0 or is_terminal(state) then return { 0, 0 } end
if not steps then begin_steps(id) end
local function answer(n) return { n, redis.call('HEXISTS', STEPS .. id, name .. n) } end
local n = 1
while true do
  local size = redis.call('HSTRLEN', JOURNAL .. id, name .. n)
  if size == 0 then break end
  if size == #entry and redis.call('HGET', JOURNAL .. id, name .. n) == entry then return answer(n) end
  n = n + 1
end
if is_answer == '1' and redis.call('HEXISTS', STEPS .. id, name .. n) == 0 then return { NO_WAIT, 0 } end
if redis.call('HLEN', JOURNAL .. id) >= MOST_STEPS then return { TOO_MANY, 0 } end
if (tonumber(redis.call('HGET', RECORD .. id, 'events') or 0) or 0) + #entry > EVENTS_BYTES then return { TOO_LARGE, 0 } end
redis.call('HINCRBY', RECORD .. id, 'events', #entry)
redis.call('HSET', JOURNAL .. id, name .. n, entry)
if parked or waits and state ~= 'STARTED' then -- a worker of an earlier release may have ended a child, and un-parked it
  redis.call('HDEL', RECORD .. id, 'parked')
  redis.call('HSET', RECORD .. id, 'due', now)
  call_job(id, queue, now)
  wake(queue or 'default')
end
return answer(n)
