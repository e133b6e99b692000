-- The states and results of jobs; with a channel, that channel hears of the end of those that have not ended.
-- ARGV: channel or '', then ids.   Returns for each: state, result or '', meta or ''.
local channel = ARGV[1]
local now = now_ms()
local answers = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local r = redis.call('HMGET', RECORD .. id, 'state', 'until', 'reply', 'meta')
  local result = redis.call('GET', RESULT .. id)
  local state = r[1]
  if is_terminal(state) then
    if not result and tonumber(r[2]) <= now then state = 'UNKNOWN' end
  elseif redis.call('EXISTS', JOB .. id) == 1 then
    state = state or 'PENDING'
    if channel ~= '' and r[3] ~= channel then
      redis.call('SADD', WAITERS .. id, channel)
      redis.call('HSET', RECORD .. id, 'waited', 1)
    end
  elseif result then
    state = 'ENDED' -- its record is history's no more: the result itself says how it ended
  else
    state = 'UNKNOWN'
  end
  answers[#answers + 1] = { state, result or '', r[4] or '' }
end
return answers
