-- The states of members of a workflow: what its journal says, else what their records say. Changes nothing.
-- ARGV: workflow, then paths   Returns for each its state, or '' if it is not enqueued yet.
local workflow = ARGV[1]
local LETTERS = { S = 'SUCCESS', F = 'FAILURE', R = 'REVOKED' }
local states = {}
for i = 2, #ARGV do
  local entry = redis.call('HGET', JOURNAL .. workflow, ARGV[i])
  local state = entry and LETTERS[entry:sub(1, 1)]
  if not state then
    local id = workflow .. ':' .. ARGV[i]
    state = redis.call('HGET', RECORD .. id, 'state') or redis.call('EXISTS', JOB .. id) == 1 and 'PENDING' or ''
  end
  states[#states + 1] = state
end
return states
