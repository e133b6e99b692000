-- Run a schedule with what is kept of its call: as the run of *moment*, or now if that is nothing. Returns the id of its job.
-- Needs limits, unique and storing.
local function run_schedule(key, id, moment, now)
  local task, queue, payload, expires, tree, name, unique = unpack(redis.call('HMGET', key, 'task', 'queue', 'payload', 'expires',
    'tree', 'tree_name', 'unique'))
  if tree == '' then tree = nil end
  id = store_one(now, { id = id, queue = queue, payload = payload, task = task, due = moment, expires = expires, tree = tree,
    name = name, unique = key_of(unique) })
  redis.call('HSET', key, 'last_run', moment or as_text(now), 'last_id', id)
  return id
end
