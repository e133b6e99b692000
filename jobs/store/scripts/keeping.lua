-- What a retry keeps of a job with steps, or of a workflow: what has succeeded since its life began. The rest is done again.
-- *since*: when that life began. An id may have had another one before.

-- The end of a member, or of a child, is forgotten, unless it has succeeded meanwhile: then it is noted. One that has steps or members
-- of its own is kept as it is, see `begin_again`. Returns the letter of the end that the journal has now, or ''.
local function forget_or_keep(id, member, path, since)
  local state, finished, steps, tree = unpack(redis.call('HMGET', RECORD .. member, 'state', 'finished', 'steps', 'tree'))
  local result = state == 'SUCCESS' and (tonumber(finished or 0) or 0) >= since and redis.call('GET', RESULT .. member)
  if result then
    redis.call('HSET', JOURNAL .. id, path, 'S' .. result)
    return 'S'
  end
  redis.call('HDEL', JOURNAL .. id, path)
  if not steps and not tree and redis.call('EXISTS', JOB .. member) == 0 then
    forget_record(member)
    redis.call('UNLINK', RESULT .. member)
  end
  return ''
end

-- Of the steps of a job failures are forgotten, and what did not come in time; of children what has not succeeded. Those of a workflow
-- are its members. `steps` is how many bytes are left.
local function forget_failures(id, is_tree, since)
  local again, bytes = {}, 1
  for _, field in ipairs(redis.call('HKEYS', (is_tree and JOURNAL or STEPS) .. id)) do
    local entry = not is_tree and redis.call('HGET', STEPS .. id, field) or 'C'
    local letter, ended = entry:sub(1, 1), ''
    if letter == 'C' or letter == 'W' then ended = (redis.call('HGET', JOURNAL .. id, field) or ''):sub(1, 1) end
    if letter == 'C' and ended ~= 'S' then ended = forget_or_keep(id, id .. '::' .. field, field, since) end
    if letter == 'F' or ended == 'X' or letter == 'C' and ended ~= 'S' then again[#again + 1] = field else bytes = bytes + #entry end
  end
  in_bulk('HDEL', JOURNAL .. id, again)
  if not is_tree then
    in_bulk('HDEL', STEPS .. id, again)
    redis.call('HSET', RECORD .. id, 'steps', bytes)
  end
  for _, key in ipairs({ TREE, JOURNAL, STEPS }) do redis.call('PERSIST', key .. id) end
end

-- When the life of a job began; nothing if it is of no job.
local function life_of(id)
  local r = redis.call('HMGET', RECORD .. id, 'since', 'enqueued')
  return tonumber(r[1] or r[2] or nil)
end

-- Does a call that has the id of a member which has failed begin that again? If so, `since` of the call says since when it lives.
local function goes_on(call, state, has_steps)
  local kept = has_steps or call.tree and redis.call('GET', TREE .. call.id) == call.tree
  local own, above = life_of(call.id), life_of(call.parent)
  call.since = kept and (state == 'FAILURE' or state == 'REVOKED') and own and above and own >= above and own or nil
  return call.since
end

-- The record of an earlier run goes, what has succeeded stays.
local function begin_again(call)
  local id, steps = call.id, redis.call('HGET', RECORD .. call.id, 'steps')
  forget_record(id)
  redis.call('UNLINK', RESULT .. id, ENDED_CALL .. id)
  redis.call('HSET', RECORD .. id, 'since', as_text(call.since))
  forget_failures(id, not steps, call.since)
end
