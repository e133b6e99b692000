-- Pause a queue: nothing of it is claimed until it is resumed; what runs goes on, and calls are still stored.
-- ARGV: queue, 1 to pause it or 0 to resume it   Returns 1 if that changed anything.
-- flags: allow-oom
-- include: limits
local queue, pausing, MOST = ARGV[1], ARGV[2] == '1', 100
now_ms()

-- Who was called into this queue by a limit is not claimed now: the next in those lists are called, of the keys for which most wait.
-- Renewals go on with the rest.
local function call_others()
  limits_of('')
  for task in pairs(limits_of_tasks) do
    local own = limits_of(task)
    local keys = own.keyed and redis.call('ZRANGE', WAITING .. task, 0, MOST - 1, 'REV') or {}
    for _, key in ipairs(keys) do call_for_room(keyed_buckets(key, own)[1], PASSED_OVER - calls) end
    call_for_room(own, own.keyed and PASSED_OVER - calls or MOST)
  end
end

if pausing then
  local changed = redis.call('SADD', PAUSED, queue)
  if changed == 1 then call_others() end
  return changed
end
local changed = redis.call('SREM', PAUSED, queue)
wake(queue)
return changed
