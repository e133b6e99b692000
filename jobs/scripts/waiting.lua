-- A page of the jobs of a queue that wait, in the order of their times. Left out are those that run, workflows that wait
-- for their members, and ids whose job is gone. Changes nothing.
-- ARGV: queue, due, later or all, how many to pass over, how many to look at
-- Returns now, how many were looked at, rows.
--   row: id, due ms, state, task or '', workflow, member, retry or '', 1 if a limit holds it back
local key, which, first, count = queue_key(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local rows = {}
if which == 'later' then first = first + redis.call('ZCOUNT', key, '-inf', now) end
local page = redis.call('ZRANGE', key, first, first + count - 1, 'WITHSCORES')
local looked_at = #page / 2

for i = 1, #page, 2 do
  local id, score = page[i], tonumber(page[i + 1])
  if which == 'due' and score > now then
    looked_at = (i - 1) / 2
    break
  end
  local r = redis.call('HMGET', RECORD .. id, 'state', 'task', 'due', 'tree', 'parent', 'parked')
  local state, due = r[1] or 'PENDING', tonumber(r[3] or score)
  if state ~= 'STARTED' and not r[6] and redis.call('EXISTS', JOB .. id) == 1 then
    local kind = r[4] and 'workflow' or r[5] and 'member' or state == 'RETRY' and 'retry' or ''
    local held = due <= now and score > now
    rows[#rows + 1] = { id, string.format('%.0f', due), state, r[2] or '', kind, held and 1 or 0 }
  end
end
return { string.format('%.0f', now), looked_at, rows }
