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
local after = limits_of(task) or { name = task }
local most_before, most = before and before.holders, after.holders
if not most or most ~= most_before then
  for _ = 1, most or CALLED_AT_ONCE do -- those that find no room wait again
    if not call_next(after) then break end
  end
end
if not most then redis.call('DEL', HOLDERS .. task) end
local more = not most and redis.call('EXISTS', BLOCKED .. task) or 0
local spacing = after.count and spacing_of(after) or 0
if (before and before.count and spacing_of(before) or 0) ~= spacing then place_anew(after, spacing, now) end
return more
