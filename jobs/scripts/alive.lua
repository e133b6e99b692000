-- Who may take over the jobs of a worker that is gone. When nobody at all has reached Redis for SILENT_MS, it was Redis
-- that was away: leases have lapsed whose owners live, so for GRACE_MS everybody may only renew what is his.
local SILENT_MS, GRACE_MS = 8000, 6000

-- Note that a worker has reached Redis; true if lapsed jobs may be taken over now.
local function note_alive(now)
  local known = redis.call('HMGET', ALIVE, 'seen', 'back')
  local back = tonumber(known[2] or now)
  if not known[1] or now - known[1] > SILENT_MS then back = now end
  redis.call('HSET', ALIVE, 'seen', now, 'back', back)
  return now - back > GRACE_MS
end
