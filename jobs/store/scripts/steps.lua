-- What is recorded of a job, as far as people look at it: the beginning of each entry, waits and children before other steps.
-- ARGV: id, most entries, most bytes of each, waits: those for events alone that are open, or all
-- Returns for each: field, entry, its bytes, what its journal has under that name or ''; events that no wait has taken, without an
--   entry; then 1 if the job has ended, and now. Changes nothing.
local id, most, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local fields, answer, only_waits = {}, {}, ARGV[4] == 'waits'
for _, field in ipairs(redis.call('HKEYS', STEPS .. id)) do
  local is_open = only_waits and field:sub(1, 6) == 'event:' and redis.call('HEXISTS', JOURNAL .. id, field) == 0
  if is_open or not only_waits then fields[#fields + 1] = field end
end
table.sort(fields, function(a, b)
  local first, second = a:sub(1, 5) == 'step:', b:sub(1, 5) == 'step:'
  if first ~= second then return second end
  return a < b
end)
for i = 1, math.min(#fields, most) do
  local field = fields[i]
  local entry, ended = redis.call('HGET', STEPS .. id, field) or '', redis.call('HGET', JOURNAL .. id, field) or ''
  answer[#answer + 1] = { field, entry:sub(1, bytes), #entry, ended:sub(1, bytes) }
end
for _, place in ipairs(only_waits and {} or redis.call('HKEYS', JOURNAL .. id)) do
  if #answer < most and place:sub(1, 6) == 'event:' and redis.call('HEXISTS', STEPS .. id, place) == 0 then
    answer[#answer + 1] = { place, '', 0, redis.call('HGET', JOURNAL .. id, place):sub(1, bytes) }
  end
end
return { answer, is_terminal(redis.call('HGET', RECORD .. id, 'state')) and 1 or 0, now_ms() }
