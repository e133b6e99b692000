-- A bounded step along an index of jobs: rows of those that fit, and how far it came. Changes nothing.
-- A step begins behind the id that the last one ended with. If that has moved meanwhile, it begins at the score that it had:
-- then some jobs come again, and none is passed over.
-- ARGV: how: newest or oldest (a list of jobs by time, from its end or its start), due or later (a queue), waiting (a queue,
--   without calls and logs), or these (the ids that follow)
--   the key, score and id that the last step ended with or '', lowest and highest score, most jobs to look at, most rows,
--   states with commas or '', a first look at the others, packed: for task, queue, worker and error texts, of which the name,
--   between two zeros, has one; as `texts` lists of byte strings in lower case, of each of which a row holds one. It may let
--   through too many jobs, never too few. Bytes of a call to read (0: none, if its task is known; -1: count rows instead), ids
-- Returns the last score and id, 1 if there is no more, the names in FIELDS, rows; or how many there are.
--   row: id, its state, those fields of its record, why it does not run, as far as its own keys say, bytes of its call
local how, key, last, last_id, lowest, highest = unpack(ARGV, 1, 6)
local look_at, wanted = tonumber(ARGV[7]), tonumber(ARGV[8])
local states, asked, call_bytes = ARGV[9], cmsgpack.unpack(ARGV[10]), tonumber(ARGV[11])
local FIELDS = { 'task', 'queue', 'worker', 'enqueued', 'due', 'received', 'finished', 'run', 'attempts', 'retries', 'tree',
  'parent', 'path', 'log', 'expires', 'suspect', 'revoked', 'error', 'parked', 'keys', 'steps' }
local AT = {}
for i, name in ipairs(FIELDS) do AT[name] = i end
local SHOWN, LONGEST = 4096, 65536 -- bytes of a call that are read where they name its task, and of an entry of a journal
local in_queue = how == 'due' or how == 'later' or how == 'waiting'
local now = now_ms()
local rows, at_end, counted = {}, 1, 0

local function range(from, to, ...)
  local words = { from, to, 'WITHSCORES', ... }
  if how == 'newest' then words[#words + 1] = 'REV' end
  return redis.call('ZRANGE', key, unpack(words))
end

local function read_page()
  if last_id ~= '' and redis.call('ZSCORE', key, last_id) == last then
    local rank = redis.call(how == 'newest' and 'ZREVRANK' or 'ZRANK', key, last_id)
    return range(rank + 1, rank + look_at)
  end
  local first, final = lowest, highest
  if how == 'newest' then first, final = highest, lowest end
  if how == 'later' then first = math.max(tonumber(lowest) or 0, now + 0.0001) end
  return range(last ~= '' and last or first, final, 'BYSCORE', 'LIMIT', 0, look_at)
end

local function beyond(score)
  if how == 'newest' then return score < (tonumber(lowest) or -math.huge) end
  return how == 'due' and score > now or score > (tonumber(highest) or math.huge)
end

local function has_one(text, parts)
  for _, part in ipairs(parts) do
    if text:find(part, 1, true) then return true end
  end
  return #parts == 0
end

local function has_name(name, parts) return #parts == 0 or has_one('\0' .. name .. '\0', parts) end

-- What an id's record says it is, as far as this index shows such jobs; nothing if it does not.
local function state_of(id)
  local r = redis.call('HMGET', RECORD .. id, 'state', 'parked', 'task', 'worker', 'queue', 'error')
  local state = r[1] or 'PENDING'
  if is_terminal(state) and in_queue then state = 'PENDING' end -- a stock producer uses the id again
  if not is_terminal(state) then
    if redis.call('EXISTS', JOB .. id) == 0 then return end
    if r[2] then state = 'STARTED' end -- a workflow that was parked goes on
  end
  if in_queue and state == 'STARTED' and not (r[2] and states:find(state, 1, true)) then return end
  if states ~= '' and not (',' .. states .. ','):find(',' .. state .. ',', 1, true) then return end
  -- where stock arq has called it, only its call and its queue say what they are
  if r[3] and not has_name(r[3], asked.task) or r[5] and not has_name(r[5], asked.queue) then return end
  if #asked.error > 0 and not r[6] then return end
  return has_name(r[4] or '', asked.worker) and has_name(r[6] or '', asked.error) and state
end

-- `suspect`: its worker is gone; `running`: a stock worker has it; `suspended`: it has steps, and waits. What is no number is no place in a list.
local function hold_of(id, state, task, fields)
  if is_terminal(state) or state == 'STARTED' and fields[AT.tree] then return '' end
  if fields[AT.parked] then return 'suspended' end
  local is_held = redis.call('EXISTS', IN_PROGRESS .. id) == 1
  if state == 'STARTED' then return not is_held and 'suspect' or fields[AT.revoked] == 'terminate' and 'stopping' or '' end
  if is_held then return 'running' end
  for key in ((fields[AT.keys] or '') .. '|'):gmatch('[^|]*') do -- the last is none: all jobs of the task
    local bucket = (task or '') .. (key ~= '' and '|' .. key or '')
    if tonumber(redis.pcall('ZSCORE', BLOCKED .. bucket, id)) then return 'concurrency-limit' end
    if (tonumber(redis.pcall('ZSCORE', PLACES .. bucket, id)) or 0) > now then return 'rate-limit' end
  end
  return fields[AT.suspect] and 'suspect' or ''
end

-- The result of a member is in the journal of its workflow, behind a letter. It is read as a whole, so only if it is short.
local function stored_call(id, state, parent, path, most)
  if not is_terminal(state) then return redis.call('GETRANGE', JOB .. id, 0, most - 1) end
  local result = redis.call('GETRANGE', RESULT .. id, 0, most - 1)
  if result ~= '' or not parent or redis.call('HSTRLEN', JOURNAL .. parent, path) > LONGEST then return result end
  return (redis.call('HGET', JOURNAL .. parent, path) or ''):sub(2, most + 1)
end

local function has_all(fields)
  local text = table.concat(fields, '\0'):lower()
  for _, parts in ipairs(asked.texts) do
    if not has_one(text, parts) then return false end
  end
  return true
end

local function look(id, score)
  local state = state_of(id)
  if not state then return end
  if call_bytes < 0 then counted = counted + 1 return end
  local fields = redis.call('HMGET', RECORD .. id, unpack(FIELDS))
  local task, call = fields[AT.task], ''
  if how == 'waiting' then fields[AT.log] = ''
  elseif call_bytes > 0 or not task then
    call = stored_call(id, state, fields[AT.parent], fields[AT.path], call_bytes > 0 and call_bytes or SHOWN)
  end
  local due, hold = tonumber(fields[AT.due]) or in_queue and score, hold_of(id, state, task, fields)
  fields[AT.due] = due and as_text(as_moment(due))
  for i = 1, #FIELDS do fields[i] = fields[i] or '' end
  if #asked.texts == 0 or has_all({ call, id, unpack(fields) }) then rows[#rows + 1] = { id, state, fields, hold, call } end
end

local function look_along(page)
  for i = 1, #page, 2 do
    local score = tonumber(page[i + 1])
    if beyond(score) then return 1 end
    if #rows == wanted then return 0 end
    last, last_id = page[i + 1], page[i]
    look(page[i], score)
  end
  return #page < 2 * look_at and 1 or 0
end

if how == 'these' then
  for i = 12, #ARGV do look(ARGV[i], 0) end
elseif redis.call('TYPE', key).ok == 'zset' then
  at_end = look_along(read_page())
end
return { last, last_id, at_end, FIELDS, call_bytes < 0 and counted or rows }
