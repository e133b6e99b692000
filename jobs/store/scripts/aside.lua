-- Put aside the keys of ours that are of another type than ours: somebody else wrote over them, and every script that met one
-- would fail. Nothing of ours is in them any more; they are kept for KEPT_S under another name. A step of a scan of all keys.
-- ARGV: cursor, pattern of keys, then for each family what its keys begin with and their type, the longest first
-- Returns the next cursor, and the keys that were put aside.
-- flags: allow-oom
local LOOKED_AT_ONCE, KEPT_S = 200, 604800
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', LOOKED_AT_ONCE)
local aside = {}

local function type_of_ours(key)
  if key:find(':health%-check$') then return end -- arq's, a string among its queues
  for i = 3, #ARGV, 2 do
    local name = ARGV[i]
    if key == name or name:sub(-1) == ':' and key:sub(1, #name) == name then return ARGV[i + 1] end
  end
end

for _, key in ipairs(found[2]) do
  local ours = type_of_ours(key)
  if ours and ours ~= redis.call('TYPE', key).ok then
    local kept_as = ASIDE .. key:sub(#PREFIX + 1)
    redis.call('RENAME', key, kept_as)
    redis.call('EXPIRE', kept_as, KEPT_S)
    aside[#aside + 1] = key
  end
end
return { found[1], aside }
