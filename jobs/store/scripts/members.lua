-- The members of a workflow: the state of each, and when it was called, ran and ended. Changes nothing.
-- ARGV: workflow, what the ids of its members begin with, then paths
-- Returns a packed list of a row for each: its state, or '' if it is not called yet; and, as far as its record is still there,
--   when it was called, was last due, last started and ended; queue, worker, attempts; those runs that its log has
--   run: number, worker, started, ended, outcome
local workflow, prefix = ARGV[1], ARGV[2]
local since = tonumber(redis.call('HGET', RECORD .. workflow, 'enqueued') or 0) or 0
local STATES = { S = 'SUCCESS', F = 'FAILURE', R = 'REVOKED' }
local RUNS = 20 -- the last ones of each
local rows = {}

local function runs_of(log)
  local runs, at = {}, 0
  while at >= 0 and at < #log do
    local read, after, entry = pcall(cmsgpack.unpack_one, log, at)
    if not read or type(entry) ~= 'table' then break end -- somebody else wrote it
    runs[#runs + 1], at = { unpack(entry, 1, 5) }, after
  end
  return { unpack(runs, math.max(#runs - RUNS + 1, 1)) }
end

for i = 3, #ARGV do
  local r = redis.call('HMGET', RECORD .. prefix .. ARGV[i], 'enqueued', 'state', 'due', 'received', 'finished', 'queue', 'worker',
    'attempts', 'log')
  local called = tonumber(r[1] or nil)
  if called and called >= since then
    rows[#rows + 1] = { r[2] or 'PENDING', r[1], r[3], r[4], r[5], r[6], r[7], r[8], r[9] and runs_of(r[9]) or {} }
  else -- nothing, or a member of an earlier life of this id; what ended and was forgotten is still in the journal
    local entry = redis.call('HGET', JOURNAL .. workflow, ARGV[i])
    rows[#rows + 1] = { entry and STATES[entry:sub(1, 1)] or '' }
  end
end
return cmsgpack.pack(rows)
