-- Failed attempts of one task, type, place and message are one group. The groups that were seen last are kept, and a minute, or
-- an hour, counts as many as there is room for: a flood of new ones fills nothing.
local JOBS = 10 -- whose ids a group keeps, the latest

local function plus_one(known) -- what is no number counts for nothing
  known = tonumber(known or 0) or 0
  return known >= 0 and known < 2 ^ 52 and math.floor(known) + 1 or 1
end

-- Note a failed attempt, whose entry in the log has its group with it (see finish.lua); returns the name of the group. One that
-- was resolved is open again by this; one that is ignored, if more than `above` fail in a minute.
local function group_failure(id, task, entry, now)
  entry[2] = task or entry[2]
  local group = redis.sha1hex(table.concat(entry, '\n', 2)):sub(1, 16)
  local key, at, jobs, n = ERROR .. group, as_text(now), { id }, 0
  for _, size in ipairs({ 60, 1 }) do
    local counts = ERRORS_OF .. size .. ':' .. math.floor(now / 60000 / size)
    local counted = redis.call('HGET', counts, group)
    n = plus_one(counted)
    local has_room = counted or redis.call('HLEN', counts) < (size == 1 and ERRORS_IN_MINUTE or ERROR_GROUPS)
    if has_room then redis.call('HSET', counts, group, as_text(n)) end
    if not counted then redis.call('EXPIRE', counts, STATS_KEPT_S) end
  end
  local first, count, others, state, above = unpack(redis.call('HMGET', key, 'first', 'count', 'jobs', 'state', 'above'))
  local version = redis.call('HGET', WORKER .. worker, 'version') or ''
  if not first then
    redis.call('HSET', key, 'first', at, 'first_version', version, 'state', 'open', 'task', entry[2], 'type', entry[3], 'place', entry[4], 'message', entry[5])
  end
  if state == 'resolved' or state == 'ignored' and above ~= '0' and n > (tonumber(above) or n) then
    redis.call('HSET', key, 'state', 'open', 'came_back', at)
  end
  for other in (others or ''):gmatch('[^\n]+') do
    if other ~= id and #jobs < JOBS then jobs[#jobs + 1] = other end
  end
  redis.call('HSET', key, 'last', at, 'last_version', version, 'count', as_text(plus_one(count)), 'jobs', table.concat(jobs, '\n'))
  redis.call('ZADD', ERRORS, at, group)
  local excess = redis.call('ZCARD', ERRORS) - ERROR_GROUPS
  for _, old in ipairs(excess > 0 and redis.call('ZRANGE', ERRORS, 0, excess - 1) or {}) do
    redis.call('UNLINK', ERROR .. old)
    redis.call('ZREM', ERRORS, old)
  end
  return group
end
