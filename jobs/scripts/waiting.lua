-- A page of the jobs of a queue that wait, in the order of their times. Left out are those that run, workflows that wait
-- for their members, and ids whose job is gone. Changes nothing.
-- Pages follow each other by score, so that what is claimed or ends meanwhile makes none be passed over, but maybe one that
-- has the very same score.
-- ARGV: queue, due, later or all, score that the page before ended with or '', how many of that score it had, how many to
--   look at
-- Returns now, how many were looked at, the score of the last, how many of that score have been looked at, rows.
--   row: id, due ms, state, task or '', workflow, member, retry or '', 1 if a limit holds it back
local key, which, after, passed, count = queue_key(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = now_ms()
local rows, ties = {}, 0
local from = after ~= '' and after or which == 'later' and '(' .. now or '-inf'
local page = redis.call('ZRANGE', key, from, which == 'due' and now or '+inf', 'BYSCORE', 'LIMIT', passed, count,
  'WITHSCORES')
local last = page[#page] or after

for i = 1, #page, 2 do
  local id, score = page[i], tonumber(page[i + 1])
  if page[i + 1] == last then ties = ties + 1 end
  local r = redis.call('HMGET', RECORD .. id, 'state', 'task', 'due', 'tree', 'parent', 'parked')
  local state, due = r[1] or 'PENDING', tonumber(r[3] or score)
  if state ~= 'STARTED' and not r[6] and redis.call('EXISTS', JOB .. id) == 1 then
    local kind = r[4] and 'workflow' or r[5] and 'member' or state == 'RETRY' and 'retry' or ''
    local held = due <= now and score > now
    rows[#rows + 1] = { id, string.format('%.0f', due), state, r[2] or '', kind, held and 1 or 0 }
  end
end
if last == after then ties = ties + passed end
return { string.format('%.0f', now), #page / 2, last, ties, rows }
