-- The key of another job keeps a member of a workflow, or a child of a job, from being called: it has failed without a run. This
-- writes its record and its end, unless its workflow has ended, or knows its end, or it was called meanwhile; of a child only if the
-- claim's token still owns the job.
-- ARGV: workflow, path, id, task, queue, result, why, result ttl ms, history kept, token or ''   Returns 1 if it was noted now.
-- flags: allow-oom
-- include: limits, counting, unique, ending, attempts
local workflow, path, id, task, queue, result, why, ttl, history_kept, token = unpack(ARGV)
local now = now_ms()
if redis.call('EXISTS', JOB .. workflow) == 0 or redis.call('HEXISTS', JOURNAL .. workflow, path) == 1 then return 0 end
if token ~= '' and redis.call('HGET', RECORD .. workflow, 'owner') ~= token or redis.call('EXISTS', JOB .. id) == 1 then return 0 end
local at = as_text(now)
redis.call('HSET', RECORD .. id, 'task', task, 'queue', queue, 'enqueued', at, 'due', at, 'parent', workflow, 'path', path)
log_attempt(id, '', cmsgpack.pack({ 0, '', now, now, 'FAILURE', why }))
end_job(id, 'FAILURE', result, tonumber(ttl), now, { queue = queue, task = task, parent = workflow })
count(task, 'FAILURE', false, false)
settle_endings()
write_counters(now)
trim_history(tonumber(history_kept))
tell_waiters()
publish_events(now)
return 1
