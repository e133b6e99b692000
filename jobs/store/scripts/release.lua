-- After a lost reply: whatever Redis thinks this worker runs and it does not is due again, with no attempt used.
-- ARGV: worker, then for each job that it does run id, token.   Returns the ids released.
-- flags: allow-oom
-- include: limits
local worker = ARGV[1]
local now = now_ms()
local known, back = {}, {}
for i = 2, #ARGV, 2 do known[ARGV[i]] = ARGV[i + 1] end
local running = redis.call('HGETALL', RUNNING .. worker)
for i = 1, #running, 2 do
  local id, token = running[i], running[i + 1]
  if known[id] ~= token then
    local record = redis.call('HMGET', RECORD .. id, 'owner', 'state', 'queue', 'due', 'attempts', 'task')
    if record[1] == token and record[2] == 'STARTED' then
      redis.call('DEL', IN_PROGRESS .. id)
      give_back(id, record[6])
      redis.call('ZADD', queue_key(record[3]), as_moment(tonumber(record[4] or now) or now), id)
      redis.call('ZREM', LEASES .. (record[3] or 'default'), id)
      redis.call('HSET', RECORD .. id, 'state', 'PENDING', 'owner', '', 'attempts', (tonumber(record[5] or 1) or 1) - 1)
      wake(record[3] or 'default')
      back[#back + 1] = id
    end
    if not known[id] then redis.call('HDEL', RUNNING .. worker, id) end
  end
end
return back
