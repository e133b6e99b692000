-- Before every script: the time, and what several scripts say about queues.

local microseconds, real_ms -- of the millisecond that now_ms() returned; that one without what a test adds: keys end by it
local moment_ms -- what now_ms() returned
local events -- what is published at the end; false while nobody listens

-- Milliseconds by Redis' own clock: the only clock that any script reads.
local function now_ms()
  local time, set = redis.call('TIME'), redis.call('MGET', CLOCK, LISTENING)
  local micros = tonumber(time[2])
  microseconds, events = micros % 1000, set[2] and {}
  real_ms = time[1] * 1000 + math.floor(micros / 1000)
  moment_ms = real_ms + (tonumber(set[1] or 0) or 0)
  return moment_ms
end

-- A key of ours, or of arq's, that is no queue: no name makes a queue of one.
local function is_ours(key)
  if key == ABORT then return true end
  for _, own in ipairs({ OURS, JOB, IN_PROGRESS, RETRY, RESULT }) do
    if key:sub(1, #own) == own then return true end
  end
  return false
end

local function queue_key(name)
  if not name or name == 'default' then return QUEUE end
  local key = name:sub(1, 1) == '=' and PREFIX .. name:sub(2)
  if key and not is_ours(key) then return key end
  return QUEUE .. ':' .. name
end

-- Put a job that another one's end calls in its queue. Its record may name any queue: the end must not fail for that.
local function call_job(id, queue, score) redis.pcall('ZADD', queue_key(queue), score, id) end

-- A moment between 1970 and LAST_MS. A score may be any number, infinite too; a number may come from an earlier release.
local function as_moment(ms)
  if ms ~= ms then return LAST_MS end
  return math.min(math.max(ms, 0), LAST_MS)
end

-- A moment given as '' or nil (none), '+n' (n ms from now) or 'n' (ms since the epoch). No other text: then nothing is written.
local function moment(text, now)
  if not text or text == '' then return false end
  local relative = text:sub(1, 1) == '+'
  local ms = tonumber(relative and text:sub(2) or text)
  if not ms then error('not a moment: ' .. text) end
  return as_moment(relative and now + ms or ms)
end

-- One token is enough: the worker that takes it claims all it can, and pushes the next if something stays behind.
local function wake(queue) if redis.call('LLEN', WAKE .. queue) == 0 then redis.call('LPUSH', WAKE .. queue, 1) end end

-- Numbers as text once: redis.call() would format them anew each time.
local texts = {}
local function as_text(ms)
  texts[ms] = texts[ms] or string.format('%d', ms)
  return texts[ms]
end

-- One command for many keys or members, as many as Lua can unpack at once.
local function in_bulk(command, key, items)
  for i = 1, #items, 1000 do
    local last = math.min(i + 999, #items)
    if key then redis.call(command, key, unpack(items, i, last)) else redis.call(command, unpack(items, i, last)) end
  end
end

-- Add an item, or two, to one of several lists.
local function add_to(lists, key, item, other)
  local list = lists[key] or {}
  lists[key] = list
  list[#list + 1] = item
  list[#list + 1] = other
end

local function is_terminal(state) return state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' end

-- A job that had ended begins again, or is forgotten: it is in no index any more.
local function unlist(id)
  redis.call('ZREM', ENDED .. (redis.call('HGET', RECORD .. id, 'task') or '?'), id)
  redis.call('ZREM', HISTORY, id)
  redis.call('ZREM', UNSUCCESSFUL, id)
end

local function forget_record(id)
  unlist(id)
  return redis.call('UNLINK', RECORD .. id)
end

-- What happens to jobs is published in one message for each script, and only while somebody listens.
local function note_event(id, state, task, queue, worker)
  if events then events[#events + 1] = { id, state, task or '', queue or '', worker or '' } end
end

local function publish_events(now)
  if events and events[1] then redis.pcall('PUBLISH', EVENTS, cmsgpack.pack({ as_text(now), events })) end
end
