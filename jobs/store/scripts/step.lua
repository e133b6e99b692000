-- Record a step of a running job. The same entry again changes nothing.
-- ARGV: id, token, field, entry   Returns RECORDED, or why not: see recording.lua.
-- flags: allow-oom
-- include: recording
local id, token, field, entry = unpack(ARGV)
local answer = check_step(id, token, entry)
if answer == RECORDED or answer ~= LOST and redis.call('HGET', STEPS .. id, field) == entry then
  write_step(id, field, entry)
  return RECORDED
end
return answer
