-- Revoke a job. Waiting: it ends here, as REVOKED, and never starts. Running: it is not retried, and with `terminate`
-- its worker is told to stop it. Ended or unknown: nothing changes.
-- ARGV: id, terminate, result ttl ms, history kept, result bytes that follow the payload's own fields, number of them
-- Returns what the job was: its state, or UNKNOWN.
-- flags: allow-oom
-- include: limits
-- include: ending
local id, terminate, ttl, history_kept, suffix, fields = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5],
  tonumber(ARGV[6])
local now = now_ms()
local record = read_record(id)
local payload = redis.call('GET', JOB .. id)
local state = record.state or (payload and 'PENDING')
if not state then return 'UNKNOWN' end
if is_terminal(state) then return state end
if state == 'STARTED' then
  redis.call('HSET', RECORD .. id, 'revoked', terminate and 'terminate' or 'yes')
  if terminate then
    redis.call('PUBLISH', CONTROL .. redis.call('HGET', RECORD .. id, 'worker'), 'revoke ' .. id)
  end
  return state
end
-- The result is the payload's own msgpack map (0x80 + its number of fields) with the rest of arq's result fields behind.
local result = ''
local size = payload and payload:byte(1) - 0x80
if size and size >= 0 and size + fields < 16 then
  result = string.char(0x80 + size + fields) .. payload:sub(2) .. suffix
end
redis.call('HSET', RECORD .. id, 'revoked', 'yes')
end_job(id, 'REVOKED', result, ttl, now, record)
trim_history(history_kept)
tell_waiters()
return state
