-- Counters by minute and since ever, of each task: fields `task|what`. Who reads them adds up the tasks.

local counters = {} -- task -> what -> how many; what of a bucket of times is its number, in `wait` or `run`

local function add(own, what, n) own[what] = (own[what] or 0) + n end

-- Times are counted by powers of two: bucket n holds those below 2^n ms.
local function add_time(own, of, ms)
  local _, power = math.frexp(ms)
  add(own[of], power < 0 and 0 or power > 24 and 24 or power, 1)
  add(own, of .. '_ms', math.floor(ms))
end

local function count(task, state, wait, run)
  local own = counters[task]
  if not own then
    own = { wait = {}, run = {} }
    counters[task] = own
  end
  add(own, state, 1)
  if wait then add_time(own, 'wait', wait) end
  if run then add_time(own, 'run', run) end
end

-- One command reads and one writes; what is no number is not counted on.
local function add_counters(key, fields, more)
  local now = redis.pcall('HMGET', key, unpack(fields))
  if now.err then return end
  local words = {}
  for i, field in ipairs(fields) do
    local n = tonumber(now[i] or 0)
    if n then words[#words + 1], words[#words + 2] = field, as_text(n + more[i]) end
  end
  if words[1] then redis.call('HSET', key, unpack(words)) end
end

local function write_counters(now)
  if not next(counters) then return end
  local minute = STATS .. math.floor(now / 60000)
  for task, own in pairs(counters) do
    local fields, more = {}, {}
    local function note(what, n) fields[#fields + 1], more[#more + 1] = task .. '|' .. what, n end
    for what, n in pairs(own) do
      if type(n) == 'number' then note(what, n) end
    end
    for _, of in ipairs({ 'wait', 'run' }) do
      for power, n in pairs(own[of]) do note(of .. '|' .. power, n) end
    end
    add_counters(minute, fields, more)
    add_counters(TOTALS, fields, more)
  end
  redis.call('EXPIRE', minute, STATS_KEPT_S)
end
