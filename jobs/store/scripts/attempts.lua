-- The log of a job's attempts: one packed entry after another, at most LOG_LIMIT bytes; when it is full, the oldest go.
local LOG_LIMIT = 32768
local function log_attempt(id, log, entry, ...)
  local first = 0
  while first >= 0 and #log - first + #entry > LOG_LIMIT do first = cmsgpack.unpack_one(log, first) end
  redis.call('HSET', RECORD .. id, 'log', (first < 0 and '' or log:sub(first + 1)) .. entry, ...)
end
