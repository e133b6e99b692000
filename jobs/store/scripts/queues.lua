-- How much waits in queues, and for how long. Changes nothing.
-- ARGV: names   Returns for each: due, all, running, ms since when the oldest is due, 1 if it is paused.
local now = now_ms()
local rows = {}
for i, name in ipairs(ARGV) do
  local key = queue_key(name)
  local kind, due, all, head = redis.call('TYPE', key).ok, 0, 0, nil
  if kind == 'zset' then -- it may be any key that somebody named
    due, all = redis.call('ZCOUNT', key, '-inf', now), redis.call('ZCARD', key)
  end
  if due > 0 then head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] end
  rows[i] = { due, all, redis.call('ZCARD', LEASES .. name), as_text(now - as_moment(tonumber(head or now))),
    redis.call('SISMEMBER', PAUSED, name) }
end
return rows
