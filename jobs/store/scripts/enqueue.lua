-- Store calls, each wholly or not at all: its payload, its record and its place in the queue.
-- A call whose id is taken, by a job or by a result that has not ended, changes nothing; so sending it twice is safe.
-- A worker is woken if one of them is due, or is now the first that will be.
-- ARGV: reply channel, then the words of each call, see `read_call`.   Returns for each: 1 stored, 0 taken, 2 its workflow was revoked or has ended,
--   3 its id is that of another job: a member, where this is none, or the other way round.
-- include: storing
local now = now_ms()
local calls = {}
for i = 2, #ARGV, CALL_WORDS do calls[#calls + 1] = read_call(i, ARGV[1]) end
local answers = store(now, calls)
publish_events(now)
return answers
