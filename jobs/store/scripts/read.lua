-- The states and results of jobs; with a channel, that channel hears of the end of those that have not ended.
-- ARGV: channel or '', then ids.   Returns for each: state, result or '', meta or ''.
local channel = ARGV[1]
local now = now_ms()
local answers = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local r = redis.call('HMGET', RECORD .. id, 'state', 'until', 'reply', 'meta', 'parent', 'path', 'parked')
  local result = redis.call('GET', RESULT .. id)
  if not result and r[5] and is_terminal(r[1]) then -- a member's result is in the journal, behind its state
    local entry = redis.call('HGET', JOURNAL .. r[5], r[6])
    result = entry and entry:sub(2)
  end
  local state = r[1]
  if is_terminal(state) then
    if not result and (tonumber(r[2] or 0) or 0) <= now then state = 'UNKNOWN' end
  elseif redis.call('EXISTS', JOB .. id) == 1 then
    state = r[7] and 'STARTED' or state or 'PENDING' -- a workflow that was parked goes on
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
