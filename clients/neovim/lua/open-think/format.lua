-- Values as lines of text. Nothing here touches a buffer.

local M = {}

local LINE = 160

--- One line of text, cut where it gets long.
function M.line(value)
  local text = type(value) == "string" and value or vim.json.encode(value)
  text = text:gsub("%s*[\r\n]+%s*", " ⏎ ")
  if vim.fn.strchars(text) > LINE then
    text = vim.fn.strcharpart(text, 0, LINE) .. "…"
  end
  return text
end

function M.lines(text)
  return vim.split((text:gsub("\r\n", "\n")), "\n", { plain = true })
end

--- Text between fences that are longer than any in it, so that it cannot end them.
function M.fenced(text, language)
  local fence = "```"
  for run in text:gmatch("`+") do
    if #run >= #fence then
      fence = ("`"):rep(#run + 1)
    end
  end
  local lines = { fence .. (language or "") }
  vim.list_extend(lines, M.lines(text))
  lines[#lines + 1] = fence
  return lines
end

local function pretty(value, indent)
  if type(value) ~= "table" or next(value) == nil then
    return vim.json.encode(value)
  end
  local inner = indent .. "  "
  local parts = {}
  if vim.islist(value) then
    for _, each in ipairs(value) do
      parts[#parts + 1] = inner .. pretty(each, inner)
    end
    return "[\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "]"
  end
  local names = vim.tbl_keys(value)
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = inner .. vim.json.encode(name) .. ": " .. pretty(value[name], inner)
  end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "}"
end

--- The whole input of an action: what is to be read before it is approved. Text is shown as it is, not as JSON.
function M.input(input)
  if type(input) == "string" then
    return M.fenced(input)
  end
  if type(input) ~= "table" or next(input) == nil then
    return { "(no input)" }
  end
  if vim.islist(input) then
    return M.fenced(pretty(input, ""), "json")
  end
  local lines = {}
  local names = vim.tbl_keys(input)
  table.sort(names)
  for _, name in ipairs(names) do
    local value = input[name]
    if type(value) == "string" and (value:find("[\r\n]") or #value > LINE) then
      lines[#lines + 1] = M.line(name) .. ":"
      vim.list_extend(lines, M.fenced(value))
    elseif type(value) == "table" and next(value) ~= nil then
      lines[#lines + 1] = M.line(name) .. ":"
      vim.list_extend(lines, M.fenced(pretty(value, ""), "json"))
    else
      lines[#lines + 1] = M.line(name) .. ": `" .. (type(value) == "string" and value or vim.json.encode(value)) .. "`"
    end
  end
  return lines
end

--- What is said, and the lines of a buffer that go along.
function M.with_selection(text, selection)
  if not selection then
    return text
  end
  local path = selection.path ~= "" and "`" .. selection.path .. "`" or "a buffer without a name"
  local lines = selection.startLine == selection.endLine and "line " .. selection.startLine
    or ("lines %d to %d"):format(selection.startLine, selection.endLine)
  local parts = { text, "", ("From %s, %s:"):format(path, lines), "" }
  vim.list_extend(parts, M.fenced(selection.text, selection.languageId))
  return table.concat(parts, "\n")
end

local function count(number, what)
  return type(number) == "number" and ("%d %s"):format(number, what) or nil
end

--- How a turn ended: why, who answered, and what it cost if that is known.
function M.ending(stop_reason, result)
  result = type(result) == "table" and result or {}
  local usage = type(result.usage) == "table" and result.usage or {}
  local parts = { tostring(stop_reason or result.stopReason or "ended") }
  local function add(part)
    parts[#parts + 1] = part
  end
  if result.providerUsed then
    add(result.modelUsed and result.providerUsed .. "/" .. result.modelUsed or result.providerUsed)
  end
  add(count(usage.inputTokens, "tokens in"))
  add(count(usage.outputTokens, "tokens out"))
  if type(usage.costUsd) == "number" then
    add(("$%.4f"):format(usage.costUsd))
  end
  if result.downgradeReason then
    add(M.line(result.downgradeReason))
  end
  return "*" .. table.concat(parts, " · ") .. "*"
end

return M
