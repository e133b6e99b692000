-- Store calls, each wholly or not at all: its payload, its record and its place in the queue.
-- A call whose id is taken, by a job or by a result that has not ended, changes nothing; so sending it twice is safe.
-- A worker is woken if one of them is due, or is now the first that will be.
-- ARGV: the fields of each call, see `store`.   Returns for each: 1 stored, 0 taken, 2 its workflow was revoked or has ended,
--   3 its id is that of another job: a member, where this is none, or the other way round.
-- include: storing
local now = now_ms()
local answers = {}
for i = 1, #ARGV, CALL_FIELDS do
  answers[#answers + 1] = store(now, unpack(ARGV, i, i + CALL_FIELDS - 1))
end
wake_for_stored()
publish_events(now)
return answers
