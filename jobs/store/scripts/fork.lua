-- Call a job again under another id, with some steps that the first has recorded, and what its journal has of them: all or nothing.
-- ARGV: id of the first, number of steps, their fields, number of places of the journal, those, then the words of the call
-- Returns what `store` does of the call, or -1: the first has not ended.
-- include: recording, limits, unique, storing
local now, first, steps = now_ms(), ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', JOB .. first) == 1 and not is_terminal(redis.call('HGET', RECORD .. first, 'state')) then return -1 end
local places = tonumber(ARGV[3 + steps])
local call = read_call(4 + steps + places, '')
local answer = store(now, { call })[1]
if answer == STORED then
  begin_steps(call.id)
  for i = 3, 2 + steps do write_step(call.id, ARGV[i], redis.call('HGET', STEPS .. first, ARGV[i]) or '') end
  for i = 4 + steps, 3 + steps + places do
    redis.call('HSET', JOURNAL .. call.id, ARGV[i], redis.call('HGET', JOURNAL .. first, ARGV[i]) or '')
  end
end
publish_events(now)
return answer
