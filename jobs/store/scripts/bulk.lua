-- Note a step of a bulk run, and store the calls that it makes anew, in one: each step is taken once, however often it is tried.
-- ARGV: plan, jobs before this step, jobs in it, those of them that it leaves alone, the words of each call (see `read_call`)
-- Returns how many jobs the run has looked at, and has left alone; nothing if there is no such plan.
-- include: limits, unique, storing
local key, before, looked_at, skipped = BULK .. ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('HGET', key, 'next') == before then
  local now, calls = now_ms(), {}
  for i = 5, #ARGV, CALL_WORDS do calls[#calls + 1] = read_call(i, '') end
  for _, answer in ipairs(store(now, calls)) do
    if answer ~= STORED then skipped = skipped + 1 end
  end
  redis.call('HINCRBY', key, 'next', looked_at)
  redis.call('HINCRBY', key, 'skipped', skipped)
  publish_events(now)
end
return redis.call('HMGET', key, 'next', 'skipped')
