-- Say what the limits of a task are, or those of a key of it. What a worker declares at its start yields to what an operator has
-- said since. A changed rate gives every waiting job a new place; those that wait for others look again whether they still have to.
-- When what a task declares for keys has changed, all keys that wait are looked through; `recall` says how far that is.
-- ARGV: task, key or '', then what and its value, - for none: rate (as 'count window ms'), holders (most at once) and keyed (a packed
--   list of names of parameters, rate, holders) are declared, override, most and paused set; of a key rate, holders and paused are set
-- Returns 1 if there is more to do: say it again.
-- include: limits
local LOOKED_AT_ONCE, left = 100, 1000 -- jobs that this script may still call: Redis is held for some milliseconds only
local task, key, more = ARGV[1], ARGV[2], 0
local now = now_ms()

local function bucket_now()
  limits_of_tasks = nil
  local own = limits_of(task) or { name = task, task = task, names = '' }
  if key == '' then return own end
  own.keyed = own.keyed or {}
  return keyed_buckets(key, own)[1]
end

local function spacing_in(bucket) return bucket.count and spacing_of(bucket) or 0 end

local function write(what, value)
  local where, field = LIMITS, task .. '|' .. what
  if key ~= '' then where, field = OVERRIDES .. task, key .. '|' .. what end
  if what == 'keyed' then
    local known = redis.call('HGET', where, field)
    if value == '-' and known then value = '\144' end -- an empty list: jobs that run have places of keys
    if value ~= '-' and value ~= known then redis.call('HSET', where, task .. '|recall', '0 ' .. now .. redis.sha1hex(value)) end
  end
  if value == '-' then redis.call('HDEL', where, field) else redis.call('HSET', where, field, value) end
end

local function call_all(bucket)
  local most = left
  local room, called = call_for_room(bucket, most)
  left = left - called
  if not bucket.holders and not bucket.key then redis.call('DEL', HOLDERS .. bucket.name) end
  if room > most and redis.call('EXISTS', BLOCKED .. bucket.name) == 1 then more = 1 end
end

local function place_all(bucket, change)
  local placed, are_all = place_anew(bucket, change, left, now)
  left = left - placed
  if not are_all then more = 1 end
end

local before = bucket_now()
for i = 3, #ARGV, 2 do write(ARGV[i], ARGV[i + 1]) end
local after = bucket_now()
local is_changed = spacing_in(before) ~= spacing_in(after)
if is_changed then redis.call('HDEL', RATE .. after.name, 'anew') end
call_all(after)
place_all(after, is_changed and 'set')

local recall = redis.call('HGET', LIMITS, task .. '|recall')
if recall and more == 0 and limits_of(task).keyed then
  local cursor, change = recall:match('^(%d+) ?(.*)$')
  local found = redis.call('ZSCAN', WAITING .. task, cursor or 0, 'COUNT', LOOKED_AT_ONCE)
  for i = 1, #found[2], 2 do
    local bucket = keyed_buckets(found[2][i], limits_of(task))[1]
    call_all(bucket)
    place_all(bucket, change or '')
    if more == 1 then break end -- those before it are passed over the next time: nobody waits there for a call
  end
  if more == 0 and found[1] == '0' then
    redis.call('HDEL', LIMITS, task .. '|recall')
  else
    if more == 0 then redis.call('HSET', LIMITS, task .. '|recall', found[1] .. ' ' .. (change or '')) end
    more = 1
  end
end
return more
