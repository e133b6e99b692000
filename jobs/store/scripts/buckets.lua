-- What limits count: buckets. The jobs of a task are one, which has the task's name.
local limits_of_tasks -- task -> what is stored of its limits, read once for each script

local function read_limits(rate, holders)
  local count, window = (rate or ''):match('^([%d.e+-]+) (%d+)$') -- once written as 1e+06
  count, window = tonumber(count), tonumber(window)
  if not (count and count > 0 and count < math.huge and window and window < LAST_MS) then count, window = nil, nil end
  return { count = count, window = window, holders = tonumber(holders) }
end

-- The bucket of a task with its limits; nothing if the task has none.
local function limits_of(task)
  if not limits_of_tasks then
    limits_of_tasks = {}
    local all = redis.call('HGETALL', LIMITS)
    for i = 1, #all, 2 do
      local name, what = all[i]:match('^(.*)|(%a+)$')
      if name then -- else it is damaged
        limits_of_tasks[name] = limits_of_tasks[name] or {}
        limits_of_tasks[name][what] = all[i + 1]
      end
    end
  end
  local stored = limits_of_tasks[task or '']
  if not stored then return nil end
  if not stored.bucket then
    stored.bucket = read_limits(stored.override or stored.rate, stored.holders)
    stored.bucket.name = task
  end
  return stored.bucket
end

-- The buckets of a job: it starts when all of them have room.
local function buckets_of(_, bucket) return { bucket } end
