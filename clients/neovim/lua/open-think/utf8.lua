-- Text that is to be sent: the daemon reads nothing but UTF-8, and a buffer can hold any bytes.

local M = {}

local SIGN = "\239\191\189"

--- How many bytes of a character begin at `place`; nothing where there is none.
local function length(text, place)
  local first, second = text:byte(place, place + 1)
  local count = first >= 194 and first <= 223 and 2
    or first >= 224 and first <= 239 and 3
    or first >= 240 and first <= 244 and 4
  if not count or place + count - 1 > #text then
    return nil
  end
  local low = first == 224 and 160 or first == 240 and 144 or 128
  local high = first == 237 and 159 or first == 244 and 143 or 191
  for each = place + 1, place + count - 1 do
    local byte = each == place + 1 and second or text:byte(each)
    if byte < low or byte > high then
      return nil
    end
    low, high = 128, 191
  end
  return count
end

local function repaired(bytes)
  local parts, kept, place = {}, 1, 1
  while place <= #bytes do
    local count = length(bytes, place)
    if not count then
      parts[#parts + 1] = bytes:sub(kept, place - 1) .. SIGN
      kept = place + 1
    end
    place = place + (count or 1)
  end
  return kept > 1 and table.concat(parts) .. bytes:sub(kept) or bytes
end

--- The text, with a sign in place of every byte that belongs to no character.
function M.repaired(text)
  return (text:gsub("[\128-\255]+", repaired))
end

return M
