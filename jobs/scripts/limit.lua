-- Say what the limits of a task are. What a worker declares at its start yields to what an operator has said since.
-- A changed rate gives every waiting job a new place; those that wait for others look again whether they still have to.
-- ARGV: task, rate as 'count window ms' or '' (none), most at once or '', 1 if an operator says it
-- include: limits
local task, rate, holders, override = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local now = now_ms()

local function set(what, value)
  if value == '' and what ~= 'override' then return redis.call('HDEL', LIMITS, task .. '|' .. what) end
  return redis.call('HSET', LIMITS, task .. '|' .. what, value)
end

local before = limits_of(task)
if override then
  set('override', rate)
else
  set('rate', rate)
  set('holders', holders)
end
limits_of_tasks = nil
local after = limits_of(task)
if (before and before.holders) ~= (after and after.holders) then
  while call_next(task) do end -- those that find no room wait again
  if not (after and after.holders) then redis.call('DEL', HOLDERS .. task) end
end
local function spacing(limits) return limits and limits.count and spacing_of(limits) or 0 end
if spacing(before) == spacing(after) then return 0 end

local place = now
for _, id in ipairs(redis.call('ZRANGE', PLACES .. task, 0, -1)) do
  local queue = redis.call('HGET', RECORD .. id, 'queue') or 'default'
  if spacing(after) == 0 then
    redis.call('ZREM', PLACES .. task, id)
  else
    redis.call('ZADD', PLACES .. task, place, id)
  end
  redis.call('ZADD', queue_key(queue), math.ceil(place), id)
  place = place + spacing(after)
  wake(queue)
end
redis.call('HSET', RATE .. task, 'next', place, 'tat', now)
return 1
