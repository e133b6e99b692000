-- What limits count: buckets. The jobs of a task are one, which has the task's name. Those that share the values of some of
-- its parameters are one as well, `task|tenant_id=7`: the record of a job has its keys in `keys`, as in
-- `region=eu&tenant_id=7|tenant_id=7`, those of most parameters first. A | before them: a worker has said so, and is not asked again.
local MOST_KEYS, SET_FOR_KEYS = 16, { 'rate', 'holders', 'paused' }
local NO_LIMIT = 1e9 -- who runs is counted all the same where there are keys: a limit may be set
local limits_of_tasks -- task -> what is stored of its limits, read once for each script

local function read_limits(bucket, rate, holders)
  local count, window = (rate or ''):match('^([%d.e+-]+) (%d+)$') -- once written as 1e+06
  count, window = tonumber(count), tonumber(window)
  if not (count and count > 0 and count < math.huge and window and window < LAST_MS) then count, window = nil, nil end
  bucket.count, bucket.window, bucket.holders = count, window, tonumber(holders)
  return bucket
end

-- What a task declares for keys: names of parameters -> rate, holders; and how many there are. Nothing for no text.
local function read_keyed(packed)
  if not packed then return nil end
  local is_read, declared = pcall(cmsgpack.unpack, packed)
  local keyed, n = {}, 0
  for _, one in ipairs(is_read and type(declared) == 'table' and declared or {}) do
    if type(one) == 'table' and type(one[1]) == 'string' then keyed[one[1]], n = { one[2], one[3] }, n + 1 end
  end
  return keyed, n
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
    local holders = stored.paused and 0 or stored.most or stored.holders
    stored.bucket = read_limits({ name = task, task = task, names = '' }, stored.override or stored.rate, holders)
    stored.bucket.keyed, stored.bucket.kinds = read_keyed(stored.keyed)
    if stored.keyed then stored.bucket.holders = stored.bucket.holders or NO_LIMIT end
  end
  return stored.bucket
end

-- The buckets of these keys of a task, and how many of them the task has limits for.
local function keyed_buckets(keys, own)
  local buckets, fields, declared = {}, {}, 0
  for key in keys:gmatch('[^|]+') do
    if #buckets == MOST_KEYS then break end
    local names = key:gsub('=[^&]*', '')
    buckets[#buckets + 1] = { name = own.name .. '|' .. key, names = names, key = key, keyed = own.keyed, task = own.name }
    for _, what in ipairs(SET_FOR_KEYS) do fields[#fields + 1] = key .. '|' .. what end
    if own.keyed[names] then declared = declared + 1 end
  end
  local set = fields[1] and redis.pcall('HMGET', OVERRIDES .. own.name, unpack(fields)) or {}
  for n, bucket in ipairs(buckets) do
    local rate, holders, paused = unpack(set, 3 * n - 2, 3 * n)
    local limits = own.keyed[bucket.names]
    if limits then
      read_limits(bucket, rate or limits[1], paused and 0 or holders or limits[2])
      bucket.holders = bucket.holders or NO_LIMIT
    end
  end
  return buckets, declared
end

-- The buckets of a job of this task: it starts when all of them have room. False besides if a worker has to say first which keys it has.
local function buckets_of(id, task)
  local own = limits_of(task)
  if not own then return {}, true end
  if not own.keyed then return { own }, true end
  local keys = redis.call('HGET', RECORD .. id, 'keys') or ''
  local buckets, declared = keyed_buckets(keys, own)
  buckets[#buckets + 1] = own
  return buckets, declared >= own.kinds or keys:sub(1, 1) == '|'
end

-- Do all jobs of a bucket share the other one too?
local function covers(wide, narrow)
  for name in wide.names:gmatch('[^&]+') do
    if not ('&' .. narrow.names .. '&'):find('&' .. name .. '&', 1, true) then return false end
  end
  return true
end

-- Note how many wait for room in the bucket of a key.
local function note_waiting(bucket)
  if not bucket.key then return end
  local waiting = redis.call('ZCARD', BLOCKED .. bucket.name) + redis.call('ZCARD', PLACES .. bucket.name)
  if waiting == 0 then return redis.call('ZREM', WAITING .. bucket.task, bucket.key) end
  redis.call('ZADD', WAITING .. bucket.task, waiting, bucket.key)
end
