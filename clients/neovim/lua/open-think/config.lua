-- The settings: what they may be, and what they are when nothing is said.

local M = {}

M.MODES = { "propose", "selective", "auto" }

--- A session for each working directory, so that projects do not mix.
local function session_of_directory()
  return "neovim:" .. vim.fn.fnamemodify(vim.fn.getcwd(), ":t")
end

local DEFAULTS = {
  command = { "open-think", "--stdio" },
  session = session_of_directory,
  mode = "selective",
  provider = nil,
  model = nil,
  approvals = "buffer",
  window = "right",
  editor_skills = true,
  start_timeout_ms = 15000,
  keys = { ask = "i", close = "q", interrupt = "<C-c>", approve = "a", deny = "d" },
}

local function is(kind)
  return function(value)
    return type(value) == kind, "must be a " .. kind
  end
end

local function one_of(values)
  return function(value)
    return vim.list_contains(values, value), "must be one of " .. table.concat(values, ", ")
  end
end

local function is_command(value)
  local fits = type(value) == "table" and #value > 0
  for _, word in ipairs(fits and value or {}) do
    fits = fits and type(word) == "string"
  end
  return fits, 'must be a list of words, as { "open-think", "--stdio" }'
end

local function is_session(value)
  return type(value) == "string" and value ~= "" or type(value) == "function", "must be a name, or a function that gives one"
end

local function are_keys(value)
  if type(value) ~= "table" then
    return false, "must be a table"
  end
  for name, key in pairs(value) do
    if DEFAULTS.keys[name] == nil then
      return false, ("has no `%s`; there are %s"):format(name, table.concat(vim.fn.sort(vim.tbl_keys(DEFAULTS.keys)), ", "))
    end
    if type(key) ~= "string" and key ~= false then
      return false, ("must have a key or false as `%s`"):format(name)
    end
  end
  return true
end

local function are_milliseconds(value)
  return type(value) == "number" and value > 0, "must be a number of milliseconds"
end

local CHECKS = {
  command = is_command,
  session = is_session,
  mode = one_of(M.MODES),
  provider = is("string"),
  model = is("string"),
  approvals = one_of({ "ask", "buffer" }),
  window = one_of({ "right", "left", "above", "below" }),
  editor_skills = is("boolean"),
  start_timeout_ms = are_milliseconds,
  keys = are_keys,
}

local settings = vim.deepcopy(DEFAULTS)

--- Takes the settings that are given, and the defaults for all others; raises what is wrong with one.
function M.set(given)
  if type(given) ~= "table" then
    error("open-think: setup takes a table of settings", 0)
  end
  for name, value in pairs(given) do
    local check = CHECKS[name]
    if not check then
      local known = table.concat(vim.fn.sort(vim.tbl_keys(CHECKS)), ", ")
      error(("open-think: there is no setting `%s`; there are %s"):format(name, known), 0)
    end
    local fits, why = check(value)
    if not fits then
      error(("open-think: the setting `%s` %s"):format(name, why), 0)
    end
  end
  local keys = vim.tbl_extend("force", DEFAULTS.keys, given.keys or {})
  settings = vim.tbl_extend("force", vim.deepcopy(DEFAULTS), given, { keys = keys })
end

function M.get()
  return settings
end

--- The session that `:Helm` talks in unless another was chosen.
function M.session()
  local session = settings.session
  return type(session) == "function" and session() or session
end

return M
