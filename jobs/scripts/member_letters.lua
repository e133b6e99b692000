-- The states of members of a workflow, one letter each: S, F and R as its journal says, else P waiting, T started, Y waiting
-- for its retry, or - if it is not enqueued yet. Changes nothing.
-- ARGV: workflow, then paths   Returns the letters.
local workflow = ARGV[1]
local LETTERS = { PENDING = 'P', STARTED = 'T', RETRY = 'Y', SUCCESS = 'S', FAILURE = 'F', REVOKED = 'R' }
local letters = {}
for i = 2, #ARGV do
  local entry = redis.call('HGET', JOURNAL .. workflow, ARGV[i])
  local letter = entry and entry:sub(1, 1)
  if not letter then
    local id = workflow .. ':' .. ARGV[i]
    local state = redis.call('HGET', RECORD .. id, 'state')
    letter = LETTERS[state] or redis.call('EXISTS', JOB .. id) == 1 and 'P' or '-'
  end
  letters[#letters + 1] = letter
end
return table.concat(letters)
