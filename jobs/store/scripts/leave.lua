-- Say goodbye: a worker that has ended is no longer listed, and the health record that `arq --check` reads goes with the
-- last worker of its first queue. Jobs that it may still hold are left to their leases.
-- ARGV: worker, its first queue, the key of its health record
-- Returns 1 if the health record is gone.
-- flags: allow-oom
local worker, queue, health = ARGV[1], ARGV[2], ARGV[3]
redis.call('ZREM', WORKERS, worker)
redis.call('DEL', WORKER .. worker)
for _, other in ipairs(redis.call('ZRANGE', WORKERS, now_ms() - WORKER_SILENT_MS, '+inf', 'BYSCORE')) do
  local queues = redis.call('HGET', WORKER .. other, 'queues')
  if queues and queues:match('^[^,]*') == queue then return 0 end
end
return redis.call('DEL', health)
