-- The states of members of a workflow, one letter each: S, F and R as its journal says, else P waiting, T started, Y waiting
-- for its retry, or - if it is not enqueued yet. Changes nothing.
-- ARGV: workflow, what the ids of its members begin with, then paths   Returns the letters.
local workflow, prefix = ARGV[1], ARGV[2]
local AT_ONCE = 100 -- entries hold results, which are read along with their first letter
local LETTERS = { PENDING = 'P', STARTED = 'T', ['RETRY'] = 'Y', SUCCESS = 'S', FAILURE = 'F', REVOKED = 'R' }
local letters = {}

local function letter_of(path, entry)
  if entry then return entry:sub(1, 1) end
  local id = prefix .. path
  local state = redis.call('HGET', RECORD .. id, 'state')
  return LETTERS[state] or redis.call('EXISTS', JOB .. id) == 1 and 'P' or '-'
end

for first = 3, #ARGV, AT_ONCE do
  local last = math.min(first + AT_ONCE - 1, #ARGV)
  local entries = redis.call('HMGET', JOURNAL .. workflow, unpack(ARGV, first, last))
  for i = first, last do letters[#letters + 1] = letter_of(ARGV[i], entries[i - first + 1]) end
end
return table.concat(letters)
