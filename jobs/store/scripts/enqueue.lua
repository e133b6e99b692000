-- Store calls, each wholly or not at all: its payload, its record and its place in the queue. One whose id is taken, by a
-- job or by a result that has not ended, changes nothing; so sending it twice is safe. A worker is woken for those due.
-- ARGV: reply channel, then the words of each call, see `read_call`.   Returns for each what `store` does; of a call whose
-- arguments a waiting job has taken, a list of that.
local now = now_ms()
-- Most calls come alone, are new and due now. `store` is not even made for those: each run makes its functions anew.
if #ARGV == 6 and ARGV[6] == '' then
  local reply, id, queue, payload, task = unpack(ARGV)
  if redis.call('EXISTS', JOB .. id, RESULT .. id, RECORD .. id) == 0 then
    redis.call('HSET', RECORD .. id, 'task', task, 'queue', queue, 'enqueued', now, 'due', now, 'reply', reply)
    redis.call('SADD', QUEUES, queue)
    redis.call('ZADD', queue_key(queue), now - 2 + (microseconds + 0.5) / 1000, id)
    redis.call('MSET', JOB .. id, payload)
    wake(queue)
    note_event(id, 'PENDING', task, queue)
    publish_events(now)
    return { 1 }
  end
end
-- include: limits, unique, storing
local calls = {}
for i = 2, #ARGV, CALL_WORDS do calls[#calls + 1] = read_call(i, ARGV[1]) end
local answers = store(now, calls)
for i, call in ipairs(calls) do
  if call.replaced then answers[i] = { answers[i] } end
end
publish_events(now)
return answers
