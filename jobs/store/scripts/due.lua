-- Look at the stored schedules that are due: at most 500, which no other worker looks at for a while. A worker that was killed
-- before it fires them leaves them to the next look after that.
-- ARGV: none
-- Returns ms now, when the next one is due (-1: none), and of each: name, version, when, last, jitter, overlap, last_id if it
-- is not paused.
local AT_ONCE, LOOKED_AT_FOR_MS = 500, 5000
local now = now_ms()
local rows, looked_at, gone = {}, {}, {}

for _, name in ipairs(redis.call('ZRANGE', SCHEDULES_DUE, '-inf', now, 'BYSCORE', 'LIMIT', 0, AT_ONCE)) do
  local known = redis.pcall('HMGET', SCHEDULE .. name, 'version', 'when', 'last', 'jitter', 'overlap', 'last_id', 'paused')
  if known[1] then
    rows[#rows + 1] = { name, known[1], known[2] or '', known[3] or '', known[4] or '', known[5] or '',
      not known[7] and known[6] or '' }
    looked_at[#looked_at + 1], looked_at[#looked_at + 2] = as_text(now + LOOKED_AT_FOR_MS), name
  else -- a release that knows no stored schedules has forgotten it
    gone[#gone + 1] = name
  end
end
in_bulk('ZADD', SCHEDULES_DUE, looked_at)
in_bulk('ZREM', SCHEDULES_DUE, gone)
local head = redis.call('ZRANGE', SCHEDULES_DUE, 0, 0, 'WITHSCORES')
return { as_text(now), head[2] and as_text(as_moment(tonumber(head[2]))) or '-1', rows }
