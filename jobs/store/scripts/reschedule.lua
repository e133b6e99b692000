-- Move a waiting job, one that waits for a retry too, to another time. One that runs, has ended or is unknown stays.
-- ARGV: id, due   Returns 1 if it was moved.
-- include: limits
local id = ARGV[1]
local now = now_ms()
local record = redis.call('HMGET', RECORD .. id, 'state', 'queue', 'task')
local state, queue = record[1], record[2] or 'default'
if redis.call('EXISTS', JOB .. id) == 0 or state == 'STARTED' or is_terminal(state) then return 0 end
local due = moment(ARGV[2], now) or now
give_back(id, record[3]) -- what its limits had it wait for no longer counts: it begins to wait anew when it is due
redis.call('ZADD', queue_key(queue), due, id)
redis.call('HSET', RECORD .. id, 'due', due)
wake(queue) -- a worker that waits for the head of the queue reads it again
return 1
