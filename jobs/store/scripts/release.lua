-- After a lost reply: whatever Redis thinks this worker runs and it does not is due again, with no attempt used.
-- ARGV: worker, its queues with commas, then for each job that it does run id, token.   Returns the ids released.
-- flags: allow-oom
-- include: limits
local worker, queues, now, known, back = ARGV[1], ARGV[2], now_ms(), {}, {}
for i = 3, #ARGV, 2 do known[ARGV[i]] = ARGV[i + 1] end

local function release(id, queue)
  local holder, state, owner, due, attempts, task = unpack(redis.call('HMGET', RECORD .. id, 'worker', 'state', 'owner', 'due',
    'attempts', 'task'))
  if holder ~= worker or state and state ~= 'STARTED' or known[id] == owner then return end
  redis.call('DEL', IN_PROGRESS .. id)
  give_back(id, task)
  redis.call('ZADD', queue_key(queue), as_moment(tonumber(due or now) or now), id)
  redis.call('ZREM', LEASES .. queue, id)
  redis.call('HSET', RECORD .. id, 'owner', '', 'attempts', (tonumber(attempts or 1) or 1) - 1)
  if state then redis.call('HSET', RECORD .. id, 'state', 'PENDING') end -- else it was only asked for its keys
  wake(queue)
  back[#back + 1] = id
end

for queue in queues:gmatch('[^,]+') do
  for _, id in ipairs(redis.call('ZRANGE', LEASES .. queue, 0, -1)) do release(id, queue) end
end
return back
