-- Counters by minute and since ever, of each task: fields `task|what`. Who reads them adds up the tasks.

local counters = {} -- task -> what comes before -> what, or the number of a bucket -> how many

local function add(counts, what, n) counts[what] = (counts[what] or 0) + n end

-- Times are counted by powers of two: bucket n holds those below 2^n ms.
local function add_time(own, sum, buckets, ms)
  local _, power = math.frexp(ms)
  add(own['|'], sum, math.floor(ms))
  add(own[buckets], power < 0 and 0 or power > 24 and 24 or power, 1)
end

local function count(task, state, wait, run)
  local own = counters[task] or { ['|'] = {}, ['|wait|'] = {}, ['|run|'] = {} }
  counters[task] = own
  add(own['|'], state, 1)
  if wait then add_time(own, 'wait_ms', '|wait|', wait) end
  if run then add_time(own, 'run_ms', '|run|', run) end
end

-- One command reads and one writes; what is no number is not counted on. Returns how many are new.
local function add_counters(key, fields, more)
  local now, words = redis.pcall('HMGET', key, unpack(fields)), {}
  for i, field in ipairs(fields) do
    local n = tonumber(now[i] or 0)
    if n and n < 2 ^ 53 then words[#words + 1], words[#words + 2] = field, string.format('%d', n + more[i]) end
  end
  return words[1] and redis.pcall('HSET', key, unpack(words))
end

local function write_counters(now)
  if not next(counters) then return end
  local minute, is_new = STATS .. math.floor(now / 60000), false
  for task, own in pairs(counters) do
    local fields, more = {}, {}
    for before, counts in pairs(own) do
      for what, n in pairs(counts) do fields[#fields + 1], more[#more + 1] = task .. before .. what, n end
    end
    is_new = add_counters(minute, fields, more) ~= 0 or is_new
    add_counters(TOTALS, fields, more)
  end
  if is_new then redis.call('EXPIRE', minute, STATS_KEPT_S) end
end
