-- Counters by minute and since ever, of each task. Who reads them adds up the tasks. Those since ever are fields `task|what`.
-- Of a minute each task is one field, `=task`: a packed list of places and counts, which takes a twelfth of the memory. The places
-- are those of packed_minutes.py. Minutes of an earlier release have fields as those since ever.

local counters = {} -- task -> what comes before -> what, or the number of a bucket -> how many
local PLACE_OF = { ['SUCCESS'] = 0, ['FAILURE'] = 1, ['RETRY'] = 2, ['REVOKED'] = 3, wait_ms = 4, run_ms = 5 }
local FIRST = { ['|'] = 0, ['|wait|'] = 6, ['|run|'] = 31 }

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

-- One command reads and one writes; what is no number is not counted on.
local function add_to_totals(fields, more)
  local now, words = redis.pcall('HMGET', TOTALS, unpack(fields)), {}
  for i, field in ipairs(fields) do
    local n = tonumber(now[i] or 0)
    if n and n < 2 ^ 53 then words[#words + 1], words[#words + 2] = field, string.format('%d', n + more[i]) end
  end
  if words[1] then redis.pcall('HSET', TOTALS, unpack(words)) end
end

-- The same of a minute. True if it is the first of this task there.
local function add_to_minute(minute, field, more)
  local stored, words = redis.pcall('HGET', minute, field), {}
  local is_read, kept = pcall(cmsgpack.unpack, stored)
  for i = 1, is_read and type(kept) == 'table' and #kept or 0, 2 do
    local place, n = tonumber(kept[i]), tonumber(kept[i + 1])
    if place and n and n < 2 ^ 53 then add(more, place, n) end
  end
  for place, n in pairs(more) do words[#words + 1], words[#words + 2] = place, n end
  redis.pcall('HSET', minute, field, cmsgpack.pack(words))
  return not stored
end

local function write_counters(now)
  if not next(counters) then return end
  local minute, is_new = STATS .. math.floor(now / 60000), false
  for task, own in pairs(counters) do
    local fields, more, places = {}, {}, {}
    for before, counts in pairs(own) do
      for what, n in pairs(counts) do
        fields[#fields + 1], more[#more + 1] = task .. before .. what, n
        places[FIRST[before] + (PLACE_OF[what] or what)] = n
      end
    end
    is_new = add_to_minute(minute, '=' .. task, places) or is_new
    add_to_totals(fields, more)
  end
  if is_new then redis.call('EXPIRE', minute, STATS_KEPT_S) end
end
