-- What the commands do, and what they are completed with.

local approvals = require("open-think.approvals")
local client = require("open-think.client")
local config = require("open-think.config")
local errors = require("open-think.errors")
local format = require("open-think.format")
local sessions = require("open-think.sessions")

local M = {}

--- Calls back with the result; a fault is told.
local function request(method, params, callback)
  client.request(method, params, function(fault, result)
    if fault then
      return errors.tell(fault)
    end
    callback(result)
  end)
end

local function ask(session, text, selection)
  session:ask(format.with_selection(text, selection), {}, function(fault)
    -- What went wrong with a turn stands in its buffer.
    if fault and (fault.code == "E_CANNOT_CONNECT" or not session.buffer:window()) then
      errors.tell(fault)
    end
  end)
end

--- Asks for what to say.
function M.prompt(session, selection)
  vim.ui.input({ prompt = "Helm: " }, function(text)
    if text and vim.trim(text) ~= "" then
      ask(session, text, selection)
    end
  end)
end

local function selected(call)
  if call.range == 0 then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(0, call.line1 - 1, call.line2, false)
  return {
    path = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":."),
    languageId = vim.bo.filetype,
    text = table.concat(lines, "\n"),
    startLine = call.line1,
    endLine = call.line2,
  }
end

local COMMANDS = {}
local COMPLETIONS = {}

function COMMANDS.Helm(call)
  local selection = selected(call)
  local session = call.bang and sessions.choose(sessions.new_name()) or sessions.current()
  if vim.trim(call.args) ~= "" then
    session.buffer:show(false)
    return ask(session, call.args, selection)
  end
  session.buffer:show(true)
  session:attach(function(fault)
    if fault then
      errors.tell(fault)
    end
  end)
  M.prompt(session, selection)
end

local function set(session, name, value)
  session[name] = value
  session:redraw()
  errors.notify(("%s of %s: %s"):format(name, session.name, value or "as the daemon has it"))
end

local function modes()
  local capabilities = (client.server() or {}).capabilities
  local told = type(capabilities) == "table" and capabilities.modes
  return type(told) == "table" and told or config.MODES
end

function COMMANDS.HelmMode(call)
  local session = sessions.current()
  if call.args == "" then
    local prompt = ("Mode of %s (now %s)"):format(session.name, session.mode)
    return vim.ui.select(modes(), { prompt = prompt }, function(mode)
      if mode then
        set(session, "mode", mode)
      end
    end)
  end
  if not vim.list_contains(modes(), call.args) then
    return errors.notify(
      ("there is no mode `%s`; there are %s"):format(call.args, table.concat(modes(), ", ")),
      vim.log.levels.ERROR
    )
  end
  set(session, "mode", call.args)
end

COMPLETIONS.HelmMode = modes

local function describe_provider(row)
  local parts = { row.id, row.default and "default" or nil }
  parts[#parts + 1] = row.configured and row.state or "not configured"
  parts[#parts + 1] = row.defaultModel
  parts[#parts + 1] = not row.configured and row.hint or row.lastError
  return format.line(table.concat(parts, " · "))
end

function COMMANDS.HelmProvider(call)
  local session = sessions.current()
  local function take(id)
    session.model = nil
    set(session, "provider", id)
  end
  if call.args ~= "" then
    return take(call.args)
  end
  request("providers.list", nil, function(result)
    local options = { prompt = "Provider of " .. session.name, format_item = describe_provider }
    vim.ui.select(result.providers, options, function(row)
      if row then
        take(row.id)
      end
    end)
  end)
end

COMPLETIONS.HelmProvider = client.providers

function COMMANDS.HelmModel(call)
  local session = sessions.current()
  if call.args ~= "" then
    return set(session, "model", call.args)
  end
  local provider = client.warmth(session.provider)
  if not provider then
    return client.with(function(fault)
      errors.notify(fault and errors.say(fault) or "choose a provider first: :HelmProvider")
    end)
  end
  request("providers.models", { provider = provider }, function(result)
    if #result.models == 0 then
      return errors.notify(provider .. " names no models; :HelmModel takes a name")
    end
    local function describe(row)
      return row.name and row.name ~= row.id and row.id .. " · " .. row.name or row.id
    end
    vim.ui.select(result.models, { prompt = "Model of " .. provider, format_item = describe }, function(row)
      if row then
        set(session, "model", row.id)
      end
    end)
  end)
end

local function open_session(name)
  local session = sessions.choose(name)
  session.buffer:show(true)
  session:attach(function(fault)
    if fault then
      errors.tell(fault)
    end
  end)
end

local function describe_session(row)
  local parts =
    { row.sessionName, row.messageCount .. " messages", os.date("%d %b %H:%M", math.floor(row.updatedAt / 1000)) }
  parts[#parts + 1] = row.running and "running" or nil
  parts[#parts + 1] = row.heldCount > 0 and row.heldCount .. " held" or nil
  return table.concat(parts, " · ")
end

function COMMANDS.HelmSession(call)
  if call.args ~= "" or call.bang then
    return open_session(call.args ~= "" and call.args or sessions.new_name())
  end
  request("sessions.list", nil, function(result)
    local rows = { "a new session" }
    vim.list_extend(rows, result.sessions)
    local function describe(row)
      return type(row) == "string" and row or describe_session(row)
    end
    vim.ui.select(rows, { prompt = "Session", format_item = describe }, function(row)
      if row then
        open_session(type(row) == "string" and sessions.new_name() or row.sessionName)
      end
    end)
  end)
end

function COMPLETIONS.HelmSession()
  return vim.tbl_map(function(session)
    return session.name
  end, sessions.all())
end

local function waiting_ids()
  local session = sessions.peek()
  return session
      and vim.tbl_map(function(action)
        return action.id
      end, require("open-think.held").waiting(session.actions))
    or {}
end

local function decide(decision)
  return function(call)
    approvals.decide_named(sessions.current(), call.args ~= "" and call.args or nil, decision)
  end
end

COMMANDS.HelmApprove, COMPLETIONS.HelmApprove = decide("approve"), waiting_ids
COMMANDS.HelmDeny, COMPLETIONS.HelmDeny = decide("deny"), waiting_ids

function COMMANDS.HelmInterrupt()
  sessions.current():interrupt()
end

function COMMANDS.HelmSkill(call)
  require("open-think.invoke").run(call)
end

function COMPLETIONS.HelmSkill(line)
  return line:match("^%s*%S+%s+%S+%s") and {} or require("open-think.invoke").ids()
end

function COMMANDS.HelmStatus()
  request("daemon.status", nil, function(status)
    local lines = {
      ("open-think %s, %d clients, default provider %s"):format(
        status.version,
        status.clients,
        status.defaultProvider or "none"
      ),
    }
    for _, provider in ipairs(status.providers or {}) do
      lines[#lines + 1] = ("%s: %s%s"):format(provider.id, provider.state, provider.why and ", " .. provider.why or "")
    end
    for _, turn in ipairs(status.runningTurns or {}) do
      lines[#lines + 1] = "running: " .. turn.sessionName
    end
    if status.usage then
      lines[#lines + 1] = ("today: %d calls, $%.4f"):format(status.usage.calls, status.usage.costUsd)
    end
    errors.notify(table.concat(lines, "\n"))
  end)
end

--- A buffer of this name is read: its session takes the place of the buffer.
function M.read(name)
  vim.schedule(function()
    open_session(name:sub(#require("open-think.buffer").SCHEME + 1))
  end)
end

function M.run(name, call)
  COMMANDS[name](call)
end

function M.complete(name, lead, line)
  local complete = COMPLETIONS[name]
  return vim.tbl_filter(function(each)
    return vim.startswith(each, lead)
  end, complete and complete(line) or {})
end

return M
