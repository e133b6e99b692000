-- A rate of n in a window is kept by spacing. Each waiting job reserves a start, SLOWER * window / n after the one before.
-- Its score moves there, so it holds no slot and hides no other job. A start is allowed while it is not earlier than `tat`
-- (when the next start is due if all keep their spacing) by more than TOLERANCE * window. SLOWER and TOLERANCE together
-- make n + 1 starts in one window impossible, whatever the workers' delays.
local SLOWER, TOLERANCE = 1.05, 0.04
local KEPT_MS = 3600000 -- the places of a key, when they are over

local function spacing_of(bucket) return SLOWER * bucket.window / bucket.count end

-- Write the places of a bucket; *last*: when the last of them is. Those of a key end by themselves.
local function write_rate(bucket, last, ...)
  redis.call('HSET', RATE .. bucket.name, ...)
  if not bucket.key then return end
  local left = math.ceil(math.max(last - real_ms, 0) + KEPT_MS + (bucket.count and bucket.window + 2 * spacing_of(bucket) or 0))
  redis.call('PEXPIRE', RATE .. bucket.name, as_moment(left))
  redis.call('PEXPIRE', PLACES .. bucket.name, as_moment(left))
  note_waiting(bucket)
end

-- A job is due. True if the rate of this bucket lets it start now; otherwise it has moved to a place of its own there.
local denied = {}
local function keep_rate(id, key, bucket, now)
  local places = PLACES .. bucket.name
  local known = redis.call('HMGET', RATE .. bucket.name, 'tat', 'next')
  local tat, next_place = tonumber(known[1] or 0) or 0, tonumber(known[2] or 0) or 0
  if not (tat < LAST_MS and next_place < LAST_MS) then tat, next_place = 0, 0 end -- damaged: no job would ever start
  local spacing, tolerance = spacing_of(bucket), TOLERANCE * bucket.window
  local has_place = redis.call('ZSCORE', places, id)
  local place, following = now, next_place
  if not has_place and next_place > now then
    place, following = next_place, next_place + spacing
  elseif now < tat - tolerance then -- late ones came together: each a spacing after the other
    denied[bucket.name] = (denied[bucket.name] or 0) + 1
    place = tat + (denied[bucket.name] - 1) * spacing
    following = math.max(next_place, place + spacing)
  end
  if place > now then
    redis.call('ZADD', places, place, id)
    redis.call('ZADD', key, math.ceil(place), id)
    write_rate(bucket, following, 'next', following)
    return false
  end
  bucket.tat, bucket.next_place = tat, next_place
  return true
end

-- A job that `keep_rate` lets start does.
local function take_start(id, bucket, now)
  redis.call('ZREM', PLACES .. bucket.name, id)
  local next_tat = math.max(bucket.tat, now) + spacing_of(bucket)
  local following = math.max(bucket.next_place, next_tat)
  write_rate(bucket, following, 'tat', next_tat, 'next', following)
end

-- A job leaves its place, if it has one: the last takes it.
local function leave_place(id, bucket)
  local places = PLACES .. bucket.name
  local place = redis.call('ZSCORE', places, id)
  if not place then return end
  redis.call('ZREM', places, id)
  local last = redis.call('ZRANGE', places, -1, -1, 'WITHSCORES')
  if not last[1] or tonumber(last[2]) <= tonumber(place) then return write_rate(bucket, place, 'next', place) end
  local queue = redis.call('HGET', RECORD .. last[1], 'queue') or 'default'
  redis.call('ZADD', places, place, last[1])
  call_job(last[1], queue, place)
  write_rate(bucket, last[2], 'next', last[2])
  if bucket.keyed then wake(queue) end
end

-- Which jobs get a new place now, the first of these places, and how far that is then. Where places move back the last go first, else
-- the first: nobody overtakes. `-7`: the first seven have none yet, `+8`: those after the place 8, '': all have.
local function next_to_place(places, where, n, most, tat, spacing)
  local from = tonumber(where:sub(2))
  if where:sub(1, 1) == '-' then
    local left = math.min(from or 0, n)
    local first = math.max(left - most, 0)
    return most > 0 and redis.call('ZRANGE', places, first, left - 1) or {}, tat + first * spacing, first > 0 and '-' .. first or ''
  end
  local ids = redis.call('ZRANGE', places, from and '(' .. where:sub(2) or '-inf', '+inf', 'BYSCORE', 'LIMIT', 0, most)
  local place = from and from + spacing or tat
  if #ids < most then return ids, place, '' end
  return ids, place, ids[1] and ('+%.17g'):format(place + (#ids - 1) * spacing) or where
end

-- A rate has changed: each waiting job gets a new place, up to *most* in one script. Returns how many did, and if all have now. Without
-- *change* one that has begun goes on.
local function place_anew(bucket, change, most, now)
  local places, rate, spacing = PLACES .. bucket.name, RATE .. bucket.name, bucket.count and spacing_of(bucket) or 0
  local n, known = redis.call('ZCARD', places), redis.call('HMGET', rate, 'anew', 'tat')
  local of, where = (known[1] or ''):match('^(.*)|(.*)$')
  local begins = change and of ~= change
  if bucket.key and n == 0 or not begins and (where or '') == '' then return 0, true end
  local tat = math.min(math.max(tonumber(known[2] or now) or now, now), now + spacing) -- one that has started counts on
  if begins then
    local last = redis.call('ZRANGE', places, -1, -1, 'WITHSCORES')[2]
    where = tonumber(last or 0) < tat + (n - 1) * spacing and '-' .. n or '+'
    write_rate(bucket, tat + n * spacing, 'next', tat + n * spacing, 'tat', tat)
  end
  if spacing == 0 then where = '+' end
  local ids, place, left = next_to_place(places, where, n, most, tat, spacing)
  for i, id in ipairs(ids) do
    local queue = redis.call('HGET', RECORD .. id, 'queue') or 'default'
    local own = place + (i - 1) * spacing
    if spacing > 0 then redis.call('ZADD', places, own, id) else redis.call('ZREM', places, id) end
    call_job(id, queue, math.ceil(own))
    wake(queue)
  end
  redis.call('HSET', rate, 'anew', (change or of) .. '|' .. left)
  if spacing == 0 then note_waiting(bucket) end
  return #ids, left == ''
end
