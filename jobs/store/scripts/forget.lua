-- Drop the result and the record of a job that has ended; its id is free again. One that has not ended is left alone.
-- ARGV: id   Returns 1 if it was dropped.
-- include: unique
local id = ARGV[1]
local state, unique = unpack(redis.call('HMGET', RECORD .. id, 'state', 'unique'))
if not is_terminal(state) and redis.call('EXISTS', JOB .. id) == 1 then return 0 end
if unique then give_up(id, unique) end
return forget_record(id) + redis.call('UNLINK', RESULT .. id, TREE .. id, JOURNAL .. id, STEPS .. id, ENDED_CALL .. id) > 0 and 1 or 0
