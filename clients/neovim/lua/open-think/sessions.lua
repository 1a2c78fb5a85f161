-- All sessions that have a buffer here, and the one that `:Helm` talks in.

local config = require("open-think.config")

local M = {}

local sessions = {}
local current = nil

--- The session of this name; it gets its buffer with the first use.
function M.get(name)
  if not sessions[name] then
    sessions[name] = require("open-think.session").new(name, {
      gone = function(session)
        if sessions[name] == session then
          sessions[name] = nil
        end
      end,
    })
  end
  return sessions[name]
end

--- The session of this name, if it has a buffer.
function M.find(name)
  return sessions[name]
end

--- The session of the buffer that one is in, else the one that was chosen, else that of the settings.
function M.current()
  local here = vim.api.nvim_get_current_buf()
  for _, session in pairs(sessions) do
    if session.buffer.id == here then
      return session
    end
  end
  return M.get(current or config.session())
end

--- The current one, if it was used already.
function M.peek()
  return sessions[current or config.session()]
end

function M.choose(name)
  current = name
  return M.get(name)
end

--- A session that nobody has used.
function M.new_name()
  local random = vim.fn.sha256(vim.uv.hrtime() .. ":" .. vim.uv.os_getpid()):sub(1, 6)
  return config.session() .. ":" .. os.date("%m%d-%H%M-") .. random
end

function M.all()
  return vim.tbl_values(sessions)
end

local function is_event(params)
  return type(params.sessionName) == "string"
    and type(params.turnId) == "string"
    and type(params.seq) == "number"
    and type(params.event) == "table"
end

function M.event(params)
  local session = is_event(params) and sessions[params.sessionName]
  if session then
    session.feed:event(params)
  end
end

function M.progress(params)
  local value = params.value
  if type(value) == "table" and value.kind == "begin" then
    for _, session in pairs(sessions) do
      session:bind(params.token, value.turnId)
    end
  end
end

function M.drained()
  for _, session in pairs(sessions) do
    session.feed:drained()
  end
end

function M.lost(fault)
  for _, session in pairs(sessions) do
    session:lost(fault)
  end
end

function M.connected()
  local connection = require("open-think.client").connection()
  for _, session in pairs(sessions) do
    session.feed:connected(connection)
  end
end

function M.redraw()
  for _, session in pairs(sessions) do
    session:redraw()
  end
  vim.cmd.redrawstatus({ bang = true })
end

return M
