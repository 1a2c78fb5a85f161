-- Skills that this Neovim offers to Helm: kept here, registered with every connection, called by the daemon.

local client = require("open-think.client")
local config = require("open-think.config")
local errors = require("open-think.errors")

local M = {}

--- By their ids: as they were given, and whether the daemon has them.
local offered, registered = {}, {}

local CHECKS = {
  id = { "string" },
  description = { "string" },
  handler = { "function" },
  input_schema = { "table", "nil" },
  dangerous = { "boolean", "nil" },
  timeout_ms = { "number", "nil" },
}

local function check(skill)
  if type(skill) ~= "table" then
    error("open-think: register_skill takes a table", 0)
  end
  for name in pairs(skill) do
    if not CHECKS[name] then
      error(
        ("open-think: a skill has no `%s`; it has %s"):format(
          name,
          table.concat(vim.fn.sort(vim.tbl_keys(CHECKS)), ", ")
        ),
        0
      )
    end
  end
  for name, kinds in pairs(CHECKS) do
    if not vim.list_contains(kinds, type(skill[name])) then
      error(("open-think: `%s` of a skill must be a %s"):format(name, kinds[1]), 0)
    end
  end
end

local function row(skill)
  return {
    id = skill.id,
    description = skill.description,
    inputSchema = skill.input_schema or { type = "object" },
    dangerous = skill.dangerous ~= false,
    timeoutMs = skill.timeout_ms,
  }
end

--- One at a time: an id of the daemon's own is no reason to go without the others.
local function register(skill, callback)
  client.connection():request("skills.register", { skills = { row(skill) } }, function(fault)
    registered[skill.id] = not fault or nil
    if callback then
      callback(fault)
    elseif fault and fault.code ~= "E_CONNECTION_LOST" then
      errors.notify(("Helm does not get %s: %s"):format(skill.id, errors.say(fault)), vim.log.levels.ERROR)
    end
  end)
end

--- Offers a skill; `callback(fault)` hears whether the daemon took it, once there is a connection.
function M.register(skill, callback)
  check(skill)
  offered[skill.id] = skill
  if client.connection() and client.has("skills.register") then
    register(skill, callback)
  end
end

function M.unregister(id)
  offered[id], registered[id] = nil, nil
  if client.connection() and client.has("skills.unregister") then
    client.connection():request("skills.unregister", { skills = { id } }, function() end)
  end
end

--- Offers all by a new connection.
function M.register_all()
  if config.get().editor_skills then
    for _, skill in ipairs(require("open-think.editor_skills")) do
      offered[skill.id] = offered[skill.id] or skill
    end
  end
  if client.has("skills.register") then
    for _, skill in pairs(offered) do
      register(skill)
    end
  end
end

function M.forget_registered()
  registered = {}
end

--- The ids that the daemon has from here.
function M.registered()
  return vim.fn.sort(vim.tbl_keys(registered))
end

--- Whether a handler can be told to answer later: it takes a second parameter.
local function may_answer_later(handler)
  local info = debug.getinfo(handler, "u")
  return info.nparams == nil or info.nparams >= 2 or info.isvararg
end

--- The daemon calls one. A handler gives its output, raises, or calls `done(output, problem)` later.
function M.call(params, respond, call)
  local skill = offered[params.skill]
  if not skill then
    return respond({
      code = errors.METHOD_NOT_FOUND,
      message = ("there is no skill `%s` here"):format(tostring(params.skill)),
    })
  end
  local function fail(problem)
    respond({ code = errors.REQUEST_FAILED, message = tostring(problem) })
  end
  local function done(output, problem)
    if problem ~= nil then
      return fail(problem)
    end
    if output == nil then
      output = vim.NIL
    end
    respond(nil, { output = output })
  end
  local context = { session_name = params.sessionName, turn_id = params.turnId, deadline_ms = params.deadlineMs }
  call.on_cancel = function()
    context.cancelled = true
  end
  local input = params.input == nil and vim.empty_dict() or params.input
  local fine, output = pcall(skill.handler, input, done, context)
  if not fine then
    return fail(tostring(output):gsub("^[^\n]-%.lua:%d+: ", ""))
  end
  if output ~= nil or not may_answer_later(skill.handler) then
    done(output)
  end
end

return M
