-- What a worker says of a schedule at its start, and once a minute. From then on, and not from before, its moments count as
-- missed.
-- ARGV: name, now ms, task, when, queue, payload, expires, id of its job or '', next ms, the next few
-- include: scheduling
describe(ARGV[1], 3, now_ms())
redis.call('HSETNX', SCHEDULE .. ARGV[1], 'last', ARGV[2])
return 1
