-- The one connection of this Neovim: made when it is first needed, and again when it was lost.

local config = require("open-think.config")
local errors = require("open-think.errors")
local rpc = require("open-think.rpc")

local M = {}

local VERSION = "0.1.0"
local WAY_OUT = "The next :Helm starts it again; :checkhealth open-think tells more."
local HOW_TO_GET_IT = 'Install it, or name it with require("open-think").setup({ command = … }).'

--- `server` is what the daemon said of itself, `warmth` how its providers stand, by their ids.
local state = { status = "off", waiting = {}, warmth = {} }

local NOTIFICATIONS = {
  ["conductor.event"] = function(params)
    require("open-think.sessions").event(params)
  end,
  ["$/progress"] = function(params)
    require("open-think.sessions").progress(params)
  end,
  ["conductor.approvalResolved"] = function(params)
    require("open-think.approvals").resolved(params)
  end,
  ["daemon.reloaded"] = function()
    M.look()
  end,
}

local REQUESTS = {
  ["conductor.approval"] = function(params, respond)
    require("open-think.approvals").ask(params, respond)
  end,
  ["skills.call"] = function(params, respond, call)
    require("open-think.skills").call(params, respond, call)
  end,
}

local function settle(fault)
  local waiting = state.waiting
  state.waiting = {}
  for _, callback in ipairs(waiting) do
    callback(fault, state.connection)
  end
end

local function fail(fault)
  state.connection, state.status = nil, "off"
  settle(fault)
end

local function lost(connection, why)
  if connection ~= state.connection then
    return
  end
  local was = state.status
  if was == "connecting" then
    return fail(errors.own("E_CANNOT_CONNECT", "the daemon could not be reached: " .. why, "See :checkhealth open-think."))
  end
  state.connection, state.status, state.warmth = nil, "off", {}
  require("open-think.approvals").forget_all()
  require("open-think.skills").forget_registered()
  require("open-think.sessions").lost(errors.own("E_CONNECTION_LOST", "the connection was lost: " .. why))
  if was == "ready" then
    errors.notify(("the connection was lost: %s. %s"):format(why, WAY_OUT), vim.log.levels.ERROR)
  end
end

local function introduction()
  return {
    processId = vim.uv.os_getpid(),
    clientInfo = { name = "neovim", version = VERSION },
    protocolVersion = "1.0",
    capabilities = { approvals = true, skills = true },
  }
end

local function ready(connection, started, result)
  state.server = type(result) == "table" and result or {}
  state.start_ms = (vim.uv.hrtime() - started) / 1e6
  state.status = "ready"
  connection:notify("initialized")
  require("open-think.skills").register_all()
  require("open-think.sessions").connected()
  settle()
  M.look()
  require("open-think.invoke").look()
end

local function handlers(holder)
  return {
    notification = function(method, params)
      local handle = NOTIFICATIONS[method]
      if handle then
        handle(params)
      end
    end,
    request = function(method, params, respond, call)
      local handle = REQUESTS[method]
      if handle then
        handle(params, respond, call)
      end
      return handle ~= nil
    end,
    drained = function()
      require("open-think.sessions").drained()
    end,
    exit = function(why)
      lost(holder.connection, why)
    end,
  }
end

local function start()
  local settings = config.get()
  local program = settings.command[1]
  if vim.fn.executable(program) == 0 then
    return fail(errors.own("E_CANNOT_CONNECT", ("there is no program `%s`"):format(program), HOW_TO_GET_IT))
  end
  local holder = {}
  local started = vim.uv.hrtime()
  local connection, why = rpc.start(settings.command, handlers(holder))
  if not connection then
    return fail(errors.own("E_CANNOT_CONNECT", ("`%s` could not be started: %s"):format(program, why), HOW_TO_GET_IT))
  end
  holder.connection, state.connection, state.status = connection, connection, "connecting"
  local function is_over()
    return state.connection ~= connection or state.status ~= "connecting"
  end
  connection:request("initialize", introduction(), function(fault, result)
    if is_over() then
      return
    end
    if not fault then
      return ready(connection, started, result)
    end
    -- A program that has ended says so itself, with what it complained of.
    if fault.code ~= "E_CONNECTION_LOST" then
      fail(fault)
      connection:kill()
    end
  end)
  vim.defer_fn(function()
    if not is_over() then
      fail(errors.own("E_CANNOT_CONNECT", ("`%s` did not answer"):format(program), "See :checkhealth open-think."))
      connection:kill()
    end
  end, settings.start_timeout_ms)
end

--- Calls back with a connection that is ready for use, or with why there is none.
function M.with(callback)
  if state.status == "ready" then
    return callback(nil, state.connection)
  end
  table.insert(state.waiting, callback)
  if state.status == "off" then
    state.status = "connecting"
    vim.schedule(start)
  end
end

--- Any method of `open-think schema --format openrpc`.
function M.request(method, params, callback)
  M.with(function(fault, connection)
    if fault then
      return callback(fault)
    end
    connection:request(method, params, callback)
  end)
end

--- The connection, if there is one that is ready.
function M.connection()
  return state.status == "ready" and state.connection or nil
end

function M.status()
  return state.status
end

function M.server()
  return state.server
end

--- Milliseconds from the start of the program until it could be used.
function M.start_ms()
  return state.start_ms
end

--- Whether the daemon has a method.
function M.has(method)
  local capabilities = state.server and state.server.capabilities
  local methods = type(capabilities) == "table" and capabilities.methods
  return type(methods) == "table" and vim.list_contains(methods, method)
end

--- How the connection to a provider stands, as the daemon last said; without an id, to the default one.
function M.warmth(provider)
  provider = provider or state.default_provider
  return provider, provider and state.warmth[provider]
end

--- The ids of providers, as far as they are known.
function M.providers()
  local ids = vim.tbl_keys(state.warmth)
  table.sort(ids)
  return ids
end

--- Finds out how the providers stand.
function M.look()
  if state.status ~= "ready" then
    return
  end
  state.connection:request("daemon.status", nil, function(fault, result)
    if fault or type(result) ~= "table" then
      return
    end
    state.default_provider = result.defaultProvider
    for _, row in ipairs(result.providers or {}) do
      state.warmth[row.id] = row.state
    end
    require("open-think.sessions").redraw()
  end)
end

--- Ends the connection; the daemon stays.
function M.close()
  local connection = state.connection
  if connection then
    state.status = "closing"
    connection:close()
  end
end

vim.api.nvim_create_autocmd("VimLeavePre", { callback = M.close, desc = "Ends the connection to open-think" })

return M
