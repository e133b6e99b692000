-- What Redis knows of a schedule: enough to list it and to run it now without asking a worker.

-- Given as 8 values from ARGV[first], besides that a worker has it now: task, when it is due in words, queue, payload, expires, id of its job or '', next
-- moment in ms, the next few of them.
local function describe(name, first, now)
  redis.call('SADD', SCHEDULES, name)
  redis.call('HSET', SCHEDULE .. name, 'task', ARGV[first], 'when', ARGV[first + 1], 'queue', ARGV[first + 2],
    'payload', ARGV[first + 3], 'expires', ARGV[first + 4], 'id', ARGV[first + 5], 'next', ARGV[first + 6], 'coming', ARGV[first + 7], 'seen', as_text(now))
end
