-- How a job is revoked: one that waits ends here; one that runs is noted, and its worker gets a message. Needs limits, counting, unique and ending.
-- The result is the payload's own msgpack map (0x80 + its number of fields) with the rest of arq's result fields behind.
-- A payload that is no such map was written by another serializer: 0x80 begins what pickle writes.
local function result_of(payload, rest, fields)
  local size = payload and payload:byte(1) - 0x80
  if not size or size < 1 or size + fields > 15 then return '' end
  return string.char(0x80 + size + fields) .. payload:sub(2) .. rest
end

-- *how*, *fields*: see revoke.lua.
local function revoke(id, rest, how, fields, ttl, now)
  local record = read_record(id)
  read_rest(id, record)
  local payload = redis.call('GET', JOB .. id)
  local state = record.state or (payload and 'PENDING')
  if not state then return 'UNKNOWN' end
  if is_terminal(state) then return state end
  local has_begun = state == 'STARTED' or (tonumber(record.steps or 0) or 0) > 1 -- between two runs, too
  if how == 'waiting' and (has_begun or redis.call('HEXISTS', RECORD .. id, 'parked') == 1) then return 'STARTED' end
  local stop = state == 'STARTED' and how == '1'
  redis.call('HSET', RECORD .. id, 'revoked', stop and 'terminate' or 'yes')
  if stop then redis.pcall('PUBLISH', CONTROL .. redis.call('HGET', RECORD .. id, 'worker'), 'revoke ' .. id) end
  if state == 'STARTED' then return state end
  redis.call('DEL', RETRY .. id) -- a worker of an earlier release may have had it
  end_job(id, 'REVOKED', result_of(payload, rest, fields), ttl, now, record)
  count(record.task or '?', 'REVOKED', false, false)
  return state
end
