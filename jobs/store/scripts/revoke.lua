-- Revoke jobs. Waiting: a job ends here, as REVOKED, and never starts. Running: it is not retried, and with `terminate` its
-- worker gets a message to stop it; with `waiting`, one that runs or waits for its members is left alone. Ended or unknown:
-- nothing changes.
-- ARGV: 1 terminate, 0 or waiting, result ttl ms, history kept, number of result fields, then for each id, the result
--   fields as bytes that follow the payload's own
-- Returns what each was: its state, or UNKNOWN.
-- flags: allow-oom
-- include: limits, counting, unique, ending
local terminate, only_waiting = ARGV[1] == '1', ARGV[1] == 'waiting'
local ttl, history_kept, fields = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()

-- The result is the payload's own msgpack map (0x80 + its number of fields) with the rest of arq's result fields behind.
-- A payload that is no such map was written by another serializer: 0x80 begins what pickle writes.
local function result_of(payload, rest)
  local size = payload and payload:byte(1) - 0x80
  if not size or size < 1 or size + fields > 15 then return '' end
  return string.char(0x80 + size + fields) .. payload:sub(2) .. rest
end

local function revoke(id, rest)
  local record = read_record(id)
  read_rest(id, record)
  local payload = redis.call('GET', JOB .. id)
  local state = record.state or (payload and 'PENDING')
  if not state then return 'UNKNOWN' end
  if is_terminal(state) then return state end
  if only_waiting and (state == 'STARTED' or redis.call('HEXISTS', RECORD .. id, 'parked') == 1) then return 'STARTED' end
  local stop = state == 'STARTED' and terminate
  redis.call('HSET', RECORD .. id, 'revoked', stop and 'terminate' or 'yes')
  if stop then redis.pcall('PUBLISH', CONTROL .. redis.call('HGET', RECORD .. id, 'worker'), 'revoke ' .. id) end
  if state == 'STARTED' then return state end
  redis.call('DEL', RETRY .. id) -- a worker of an earlier release may have had it
  end_job(id, 'REVOKED', result_of(payload, rest), ttl, now, record)
  count(record.task or '?', 'REVOKED', false, false)
  return state
end

local states = {}
for i = 5, #ARGV, 2 do states[#states + 1] = revoke(ARGV[i], ARGV[i + 1]) end
settle_endings()
write_counters(now)
trim_history(history_kept)
tell_waiters(now)
publish_events(now)
return states
