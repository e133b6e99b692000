-- A page of the jobs of a queue that wait, in the order of their times. Left out are those that run, workflows that wait
-- for their members, and ids whose job is gone. Changes nothing.
-- A page begins behind the id that the page before ended with, or, if that was moved meanwhile, at the score it had: then
-- some come again, and none is passed over, whatever was claimed between the two.
-- ARGV: queue, due, later or all, score and id that the page before ended with or '' '', how many to look at
-- Returns now, how many were looked at, the last score and id, rows.
--   row: id, due ms, state, task or '', workflow, member, retry or '', why it is held back
-- include: held
local key, which, last, last_id, count = queue_key(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = now_ms()
local rows, looked_at = {}, 0

local function read_page()
  if last_id ~= '' and redis.call('ZSCORE', key, last_id) == last then
    local first = redis.call('ZRANK', key, last_id) + 1
    return redis.call('ZRANGE', key, first, first + count - 1, 'WITHSCORES')
  end
  local from = last ~= '' and last or which == 'later' and '(' .. now or '-inf'
  return redis.call('ZRANGE', key, from, '+inf', 'BYSCORE', 'LIMIT', 0, count, 'WITHSCORES')
end

if redis.call('TYPE', key).ok ~= 'zset' then return { as_text(now), 0, '', '', rows } end
local page = read_page()
for i = 1, #page, 2 do
  local id, score = page[i], tonumber(page[i + 1])
  if which == 'due' and score > now then break end
  looked_at, last, last_id = looked_at + 1, page[i + 1], id
  local r = redis.call('HMGET', RECORD .. id, 'state', 'task', 'due', 'tree', 'parent', 'parked', 'unknown')
  local state, due = r[1] or 'PENDING', as_moment(tonumber(r[3]) or score)
  if state ~= 'STARTED' and not r[6] and redis.call('EXISTS', JOB .. id) == 1 then
    local kind = r[4] and 'workflow' or r[5] and 'member' or state == 'RETRY' and 'retry' or ''
    local held = held_back(id, r[2], r[7], due, score, now)
    rows[#rows + 1] = { id, string.format('%.0f', due), state, r[2] or '', kind, held }
  end
end
return { string.format('%.0f', now), looked_at, last, last_id, rows }
