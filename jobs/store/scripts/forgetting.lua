-- Steps that are done again are forgotten, and their bytes count no more: see recording.lua.
local function forget_steps(id, fields)
  local bytes = 0
  for _, field in ipairs(fields) do bytes = bytes + redis.call('HSTRLEN', STEPS .. id, field) end
  in_bulk('HDEL', STEPS .. id, fields)
  redis.call('HINCRBY', RECORD .. id, 'steps', -bytes)
end
