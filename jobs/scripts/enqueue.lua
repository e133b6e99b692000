-- Store calls, each wholly or not at all: its payload, its record and its place in the queue.
-- A call whose id is taken, by a job or by a result that has not ended, changes nothing; so sending it twice is safe.
-- A worker is woken if one of them is due, or is now the first that will be.
-- ARGV: for each call id, queue, payload, due, expires, task, reply channel.   Returns for each: 1 stored, 0 taken.
-- include: storing
local STRIDE = 7
local now = now_ms()
local answers, due_now, earliest = {}, {}, {}

for i = 1, #ARGV, STRIDE do
  local id, queue, payload, due, expires, task, reply = unpack(ARGV, i, i + STRIDE - 1)
  if taken(id, now) then
    answers[#answers + 1] = 0
  else
    local score = moment(due, now) or now
    store(id, queue, payload, score, moment(expires, now), task, reply, now)
    answers[#answers + 1] = 1
    if score <= now then
      due_now[queue] = true
    elseif not earliest[queue] or score < earliest[queue] then
      earliest[queue] = score
    end
  end
end

for queue, score in pairs(earliest) do
  local head = redis.call('ZRANGE', queue_key(queue), 0, 0, 'WITHSCORES')
  if tonumber(head[2]) >= score then due_now[queue] = true end
end
for queue in pairs(due_now) do wake(queue) end
return answers
