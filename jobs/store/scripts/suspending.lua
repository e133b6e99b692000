-- A job with steps waits: for a moment of its own, for children, for events. It holds nothing meanwhile. If its journal has an
-- entry that it has not seen, it is due at once. Its `due` is when it is to go on; while a child of it has not ended that is now: a
-- worker of an earlier release, which may end the child, makes it due then. What such a worker has revoked is cleaned up here.
    local seen, wake_at, awaits, has_children = unpack(extra)
    local changes = { 'attempts', attempts - 1, 'suspended', awaits }
    local at = as_moment(wake_at)
    if redis.call('HLEN', JOURNAL .. id) ~= seen then
      at = now
    else
      changes[5], changes[6] = 'parked', 1
      for _, other in ipairs(redis.call('ZRANDMEMBER', SUSPENDED, 3)) do
        local gone = redis.call('EXISTS', JOB .. other) == 0
        if gone then let_steps_end(other, (tonumber(redis.call('HGET', RECORD .. other, 'until') or 0) or 0) - now) end
      end
      redis.call('ZADD', SUSPENDED, now, id)
      if awaits ~= '' then redis.call('ZADD', AWAITING, now, id) end
    end
    redis.call('HDEL', RECORD .. id, 'suspect', 'crashes', 'deaths', 'expires')
    redis.call('HSET', RECORD .. id, 'due', has_children == 1 and now or at)
    requeue(id, token, task, queue, 'PENDING', at, changes)
