-- A step of a running job is recorded only if the claim's token still owns the job. In the record, `steps` is how many bytes there are.
local RECORDED, LOST, TOO_MANY, TOO_LARGE = 1, -1, -2, -3

-- What an earlier life of this id has left goes before the first entry.
local function begin_steps(id)
  redis.call('UNLINK', STEPS .. id, JOURNAL .. id)
  redis.call('HSET', RECORD .. id, 'steps', 1)
end

-- May the owner of *token* record *entry*? If not, why. It may again what it has recorded.
local function check_step(id, token, field, entry)
  local r = redis.call('HMGET', RECORD .. id, 'owner', 'state', 'steps')
  if r[1] ~= token or r[2] ~= 'STARTED' then return LOST end
  if not r[3] then begin_steps(id) end
  local why = redis.call('HLEN', STEPS .. id) >= MOST_STEPS and TOO_MANY
    or (tonumber(r[3] or 0) or 0) + #entry > STEPS_BYTES and TOO_LARGE
  return why and redis.call('HGET', STEPS .. id, field) ~= entry and why or RECORDED
end

local function write_step(id, field, entry)
  if redis.call('HSET', STEPS .. id, field, entry) == 1 then redis.call('HINCRBY', RECORD .. id, 'steps', #entry) end
end
