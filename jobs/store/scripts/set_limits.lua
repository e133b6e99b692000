-- Say what the limits of a task are. What a worker declares at its start yields to what an operator has said since.
-- A changed rate gives every waiting job a new place; those that wait for others look again whether they still have to.
-- ARGV: task, rate as 'count window ms' or '' (none), most at once or '', 1 if an operator says it
-- Returns 1 if some still wait for others though nothing limits them any more: say it again.
-- include: limits
local CALLED_AT_ONCE = 1000 -- so that Redis is held for a few milliseconds only
local task, rate, holders, override = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local now = now_ms()

local before = limits_of(task)
for what, value in pairs(override and { override = rate } or { rate = rate, holders = holders }) do
  if value == '' and not override then
    redis.call('HDEL', LIMITS, task .. '|' .. what)
  else
    redis.call('HSET', LIMITS, task .. '|' .. what, value)
  end
end
limits_of_tasks = nil
local after = limits_of(task)
local most_before, most = before and before.holders, after and after.holders
if not most or most ~= most_before then
  for _ = 1, most or CALLED_AT_ONCE do -- those that find no room wait again
    if not call_next(task) then break end
  end
end
if not most then redis.call('DEL', HOLDERS .. task) end
local function spacing(limits) return limits and limits.count and spacing_of(limits) or 0 end
local more = not most and redis.call('EXISTS', BLOCKED .. task) or 0
if spacing(before) == spacing(after) then return more end

local place = now
for _, id in ipairs(redis.call('ZRANGE', PLACES .. task, 0, -1)) do
  local queue = redis.call('HGET', RECORD .. id, 'queue') or 'default'
  redis.call('ZADD', PLACES .. task, place, id)
  call_job(id, queue, math.ceil(place))
  place = place + spacing(after)
  wake(queue)
end
if spacing(after) == 0 then redis.call('DEL', PLACES .. task) end
redis.call('HSET', RATE .. task, 'next', place, 'tat', now)
return more
