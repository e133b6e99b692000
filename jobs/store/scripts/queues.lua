-- How much waits in queues, for how long, and of which tasks. Changes nothing.
-- ARGV: of how many jobs of each queue to read the tasks, names
-- Returns for each: due, all, running (those of dead workers too), how many of these are of dead workers, how many ms the oldest
--   due one is due, 1 if it is paused, and pairs of a task and how many: of jobs that are due, or put back for a moment because a
--   worker did not know their task, the latest ones
-- include: depth
local AGAIN_MS = 5000 -- UNKNOWN_AGAIN_S of the worker
local now, most = now_ms(), tonumber(ARGV[1])

local function tasks_in(key)
  local found, counts = {}, {}
  for _, id in ipairs(redis.call('ZRANGE', key, now + AGAIN_MS, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most)) do
    local record = redis.call('HMGET', RECORD .. id, 'task', 'state')
    local task = record[2] ~= 'STARTED' and record[1]
    if task then counts[task] = (counts[task] or 0) + 1 end
  end
  for task, n in pairs(counts) do found[#found + 1], found[#found + 2] = task, n end
  return found
end

local rows = {}
for i = 2, #ARGV do
  local name = ARGV[i]
  local key, is_paused = queue_key(name), redis.call('SISMEMBER', PAUSED, name)
  rows[i - 1] = { 0, 0, 0, 0, '0', is_paused, {} }
  if redis.call('TYPE', key).ok == 'zset' then -- it may be any key that somebody named
    local due, oldest, lapsed = depth_of(name, now)
    local all, running = redis.call('ZCARD', key), redis.call('ZCARD', LEASES .. name)
    rows[i - 1] = { due, all, running, lapsed, as_text(oldest), is_paused, tasks_in(key) }
  end
end
return rows
