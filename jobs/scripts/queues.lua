-- How much waits in queues, and for how long. Changes nothing.
-- ARGV: names   Returns for each: due, all, running, ms since when the oldest is due, 1 if it is paused.
local now = now_ms()
local rows = {}
for i, name in ipairs(ARGV) do
  local key = queue_key(name)
  local due, head = redis.call('ZCOUNT', key, '-inf', now), nil
  if due > 0 then head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] end
  rows[i] = { due, redis.call('ZCARD', key), redis.call('ZCARD', LEASES .. name), as_text(now - as_moment(tonumber(head or now))),
    redis.call('SISMEMBER', PAUSED, name) }
end
return rows
