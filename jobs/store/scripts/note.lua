-- Add an entry to the audit, or put it in the place of another. Also when memory is short: what frees it is noted before it is done.
-- ARGV: id of the entry that it takes the place of or '', number of entries kept, the entry's fields and values
-- Returns its id.
-- flags: allow-oom
local id = redis.call('XADD', AUDIT, 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
if ARGV[1] ~= '' then redis.call('XDEL', AUDIT, ARGV[1]) end
return id
