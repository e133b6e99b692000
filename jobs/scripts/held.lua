-- Why a job that is due stands later in its queue: 1 a limit holds it back, 2 a worker that did not know its task has put it
-- back, 0 neither.
local function held_back(id, task, unknown, due, score, now)
  if not due or due > now or score <= now then return 0 end
  if task and (redis.call('ZSCORE', BLOCKED .. task, id) or redis.call('ZSCORE', PLACES .. task, id)) then return 1 end
  return unknown and unknown ~= '' and 2 or 0
end
