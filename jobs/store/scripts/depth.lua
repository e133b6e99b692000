-- How many jobs of a queue are due, for how many ms the oldest one is, and how many are of dead workers: those are due again
-- by their score, and are no due ones, as they wait until a worker takes them over.
local LAPSED_READ = 1000

local function depth_of(queue, now)
  local key, leases = queue_key(queue), LEASES .. queue
  local due, lapsed = redis.call('ZCOUNT', key, '-inf', now), redis.call('ZCOUNT', leases, '-inf', now)
  local ids, is_lapsed = {}, {}
  if lapsed > 0 and due > 0 then
    ids = redis.call('ZRANGE', leases, '-inf', now, 'BYSCORE', 'LIMIT', 0, LAPSED_READ)
    due = due - (lapsed - #ids)
    for _, id in ipairs(ids) do
      is_lapsed[id] = true
      if tonumber(redis.call('ZSCORE', key, id) or now + 1) <= now then due = due - 1 end
    end
  end
  if due <= 0 then return 0, 0, lapsed end
  local first = redis.call('ZRANGE', key, 0, #ids, 'WITHSCORES')
  local i = 1
  while is_lapsed[first[i]] and i < #first - 1 do i = i + 2 end
  return due, math.max(now - as_moment(tonumber(first[i + 1])), 0), lapsed
end
