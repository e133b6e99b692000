-- Store a job that a running job waits for, with the step that says so: both or neither. The same again changes nothing.
-- ARGV: id, token, field, entry, then the words of the call, see `read_call`
-- Returns RECORDED or why not, see recording.lua; and what `store` does of the call.
-- include: recording, limits, unique, storing
local id, token, field, entry = unpack(ARGV)
local now = now_ms()
local answer, stored = check_step(id, token, field, entry), nil
if answer ~= RECORDED then return { answer } end
stored = store(now, { read_call(5) })[1]
if stored == STORED or stored == TAKEN then write_step(id, field, entry) end
publish_events(now)
return { answer, stored }
