-- A member of a workflow that another job keeps from being called has failed: its end is noted, unless the workflow has ended.
-- ARGV: workflow, path, entry for its journal   Returns 1 if it was noted now.
-- flags: allow-oom
if redis.call('EXISTS', JOB .. ARGV[1]) == 0 then return 0 end
return redis.call('HSETNX', JOURNAL .. ARGV[1], ARGV[2], ARGV[3])
