-- Record a step of a running job. The same entry again changes nothing.
-- ARGV: id, token, field, entry   Returns RECORDED, or why not: see recording.lua.
-- flags: allow-oom
-- include: recording
local id, token, field, entry = unpack(ARGV)
local answer = check_step(id, token, field, entry)
if answer == RECORDED then write_step(id, field, entry) end
return answer
