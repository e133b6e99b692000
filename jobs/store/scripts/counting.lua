-- Counters by minute and since ever, of each task and of all together: fields `task|what`, and `|what`.

local counters = {} -- task -> what -> how many

-- Times are counted by powers of two: bucket n holds those below 2^n ms.
local LOG_2 = math.log(2)
local function bucket(ms) return ms < 1 and 0 or math.min(math.floor(math.log(ms) / LOG_2) + 1, 24) end

local function count(task, state, wait, run)
  local own = counters[task] or {}
  counters[task] = own
  local function add(what, n) own[what] = (own[what] or 0) + n end
  add(state, 1)
  if wait then
    add('wait|' .. bucket(wait), 1)
    add('wait_ms', math.floor(wait))
  end
  if run then
    add('run|' .. bucket(run), 1)
    add('run_ms', math.floor(run))
  end
end

local function write_counters(now)
  if not next(counters) then return end
  local minute, all = STATS .. math.floor(now / 60000), {}
  local function write(task, own)
    for what, n in pairs(own) do
      redis.pcall('HINCRBY', minute, task .. '|' .. what, n) -- what is no number is not counted on
      redis.pcall('HINCRBY', TOTALS, task .. '|' .. what, n)
    end
  end
  for task, own in pairs(counters) do
    write(task, own)
    for what, n in pairs(own) do all[what] = (all[what] or 0) + n end
  end
  write('', all)
  redis.call('EXPIRE', minute, STATS_KEPT_S)
end
