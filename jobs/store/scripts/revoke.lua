-- Revoke jobs. Waiting: a job ends here, as REVOKED, and never starts. Running: it is not retried, and with `terminate` its
-- worker gets a message to stop it; with `waiting`, one that runs, waits for its members or has steps recorded is left alone. Ended or unknown:
-- nothing changes.
-- ARGV: 1 terminate, 0 or waiting, result ttl ms, history kept, number of result fields, then for each id, the result
--   fields as bytes that follow the payload's own
-- Returns what each was: its state, or UNKNOWN.
-- flags: allow-oom
-- include: limits, counting, unique, ending, revoking
local how = ARGV[1]
local ttl, history_kept, fields = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()

local states = {}
for i = 5, #ARGV, 2 do states[#states + 1] = revoke(ARGV[i], ARGV[i + 1], how, fields, ttl, now) end
settle_endings()
write_counters(now)
trim_history(history_kept)
tell_waiters()
publish_events(now)
return states
