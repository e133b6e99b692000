-- Who may take over the jobs of a worker that is gone. When nobody at all has reached Redis for SILENT_MS, it was Redis
-- that was away: leases have lapsed whose owners live, so for GRACE_MS everybody may only renew what is his.
local SILENT_MS, GRACE_MS, NOTED_MS = 8000, 6000, 1000

-- Note that a worker has reached Redis, once in NOTED_MS; true if lapsed jobs may be taken over now.
local function note_alive(now)
  local known = redis.call('HMGET', ALIVE, 'seen', 'back')
  local seen, back = tonumber(known[1] or 0) or 0, tonumber(known[2] or now) or now
  if now - seen > SILENT_MS then back = now end
  if now - seen > NOTED_MS or now < seen then redis.call('HSET', ALIVE, 'seen', now, 'back', back) end
  return now - back > GRACE_MS
end
