-- One connection: a program that speaks JSON-RPC in lines on its standard input and output. It knows no method.
--
-- Not vim.lsp.rpc, which drops the callback of a request that is answered with -32800, and leaves a request of the
-- server's unanswered whose handler gives nothing.

local errors = require("open-think.errors")
local utf8 = require("open-think.utf8")

local M = {}

--- The longest message that a daemon reads, unless its configuration says otherwise.
local LONGEST = 16 * 1024 * 1024

--- Nanoseconds of dealing with messages, after which the editor gets its turn.
local BUDGET = 8e6
--- How much is kept of what the program says on standard error.
local COMPLAINT_BYTES = 2000

local Connection = {}
Connection.__index = Connection

--- Starts `command`. `on` has notification(method, params), request(id, method, params, respond), drained() and
--- exit(why). Gives nil and what is wrong if there is no such program.
function M.start(command, on)
  local connection = setmetatable({
    on = on,
    pending = {},
    lengths = {},
    answering = {},
    next_id = 0,
    lines = {},
    first = 1,
    last = 0,
    partial = {},
    complaint = "",
    scheduled = false,
    ended = nil,
  }, Connection)
  local started, process = pcall(vim.system, command, {
    stdin = true,
    stdout = function(_, chunk)
      connection:read(chunk)
    end,
    stderr = function(_, chunk)
      connection.complaint = (connection.complaint .. (chunk or "")):sub(-COMPLAINT_BYTES)
    end,
  }, function(done)
    connection.exit = done
    connection:schedule()
  end)
  if not started then
    return nil, tostring(process):gsub("^.-:%d+: ", "")
  end
  connection.process = process
  return connection
end

--- Sends a request and gives its id; `callback(fault, result)` is called exactly once.
function Connection:request(method, params, callback)
  self.next_id = self.next_id + 1
  local id = self.next_id
  self.pending[id] = callback
  local sent, why, length = self:send({ id = id, method = method, params = params or vim.empty_dict() })
  self.lengths[id] = length
  if not sent then
    vim.schedule(function()
      self:answered(id, why)
    end)
  end
  return id
end

function Connection:notify(method, params)
  self:send({ method = method, params = params or vim.empty_dict() })
end

function Connection:cancel(id)
  if self.pending[id] then
    self:notify("$/cancelRequest", { id = id })
  end
end

--- Says goodbye; what is still waited for fails.
function Connection:close()
  self:request("shutdown", nil, function() end)
  self:notify("exit")
  pcall(self.process.write, self.process, nil)
end

--- Ends the program at once, where it does not listen.
function Connection:kill()
  pcall(self.process.kill, self.process, "sigterm")
end

--- Whether it could be sent, and if not, the fault; then its length.
function Connection:send(message)
  message.jsonrpc = "2.0"
  local written, text = pcall(vim.json.encode, message)
  if not written then
    return false, errors.own("E_BAD_REQUEST", "it cannot be written as JSON: " .. text)
  end
  text = utf8.repaired(text)
  if #text > LONGEST then
    return false, errors.own("E_FRAME_TOO_LONG", ("it has %d bytes, and may have %d"):format(#text, LONGEST))
  end
  if self.ended or not pcall(self.process.write, self.process, text .. "\n") then
    return false, errors.own("E_CONNECTION_LOST", "the connection was lost")
  end
  return true, nil, #text
end

--- Takes what has come. This runs where most of Neovim's functions may not be called.
function Connection:read(chunk)
  if not chunk then
    return
  end
  local start = 1
  while true do
    local stop = chunk:find("\n", start, true)
    if not stop then
      break
    end
    self.partial[#self.partial + 1] = chunk:sub(start, stop - 1)
    self.last = self.last + 1
    self.lines[self.last] = table.concat(self.partial)
    self.partial = {}
    start = stop + 1
  end
  if start <= #chunk then
    self.partial[#self.partial + 1] = chunk:sub(start)
  end
  self:schedule()
end

function Connection:schedule()
  if not self.scheduled then
    self.scheduled = true
    vim.schedule(function()
      self:drain()
    end)
  end
end

--- Deals with what has come, for a while; a fast stream must not keep the editor from its keys.
function Connection:drain()
  local deadline = vim.uv.hrtime() + BUDGET
  while self.lines[self.first] do
    local line = self.lines[self.first]
    self.lines[self.first] = nil
    self.first = self.first + 1
    local fine, fault = pcall(self.take, self, line)
    if not fine then
      errors.notify("a message could not be dealt with: " .. tostring(fault), vim.log.levels.WARN)
    end
    if vim.uv.hrtime() > deadline and self.lines[self.first] then
      self.on.drained()
      return vim.defer_fn(function()
        self:drain()
      end, 1)
    end
  end
  self.lines, self.first, self.last, self.scheduled = {}, 1, 0, false
  self.on.drained()
  if self.exit and not self.ended then
    self:finish()
  end
end

function Connection:take(line)
  local read, message = pcall(vim.json.decode, line, { luanil = { object = true, array = true } })
  if not read or type(message) ~= "table" then
    return
  end
  local params = type(message.params) == "table" and message.params or {}
  if type(message.method) ~= "string" then
    self:answered(message.id, message.error and errors.from_wire(message.error), message.result)
  elseif message.id ~= nil then
    self:asked(message.id, message.method, params)
  elseif message.method == "$/cancelRequest" then
    local respond = self.answering[params.id]
    if respond then
      respond({ code = errors.CANCELLED, message = "cancelled" })
    end
  else
    self.on.notification(message.method, params)
  end
end

--- The longest of what is waited for: one that is refused unread was too long.
function Connection:longest()
  local longest
  for id, length in pairs(self.lengths) do
    if not longest or length > self.lengths[longest] then
      longest = id
    end
  end
  return longest
end

--- An answer to what nobody asked, or nobody waits for any more, is passed over.
function Connection:answered(id, fault, result)
  if id == nil and fault then
    id = self:longest()
  end
  local callback = id ~= nil and self.pending[id]
  if callback then
    self.pending[id], self.lengths[id] = nil, nil
    callback(fault, result)
  end
end

--- Every request of the daemon's gets one answer: the first.
function Connection:asked(id, method, params)
  local call = { id = id }
  local function respond(fault, result)
    if call.done then
      return
    end
    call.done = true
    self.answering[id] = nil
    if result == nil then
      result = vim.NIL
    end
    local sent, why = self:send(fault and { id = id, error = fault } or { id = id, result = result })
    if not sent then
      self:send({ id = id, error = { code = errors.REQUEST_FAILED, message = "of the answer: " .. why.message } })
    end
    if fault and fault.code == errors.CANCELLED and call.on_cancel then
      call.on_cancel()
    end
  end
  self.answering[id] = respond
  local fine, known = pcall(self.on.request, method, params, respond, call)
  if not fine then
    respond({ code = errors.REQUEST_FAILED, message = "the client failed: " .. tostring(known) })
    error(known, 0)
  elseif not known then
    respond({ code = errors.METHOD_NOT_FOUND, message = method .. " is not a method of this client" })
  end
end

--- The program has ended: all that is waited for fails at once.
function Connection:finish()
  local last = vim.trim(self.complaint):match("[^\n]*$")
  self.ended = last ~= "" and last or ("its program ended with %d"):format(self.exit.code)
  local pending = self.pending
  self.pending = {}
  for _, callback in pairs(pending) do
    callback(errors.own("E_CONNECTION_LOST", "the connection was lost: " .. self.ended))
  end
  self.on.exit(self.ended)
end

return M
