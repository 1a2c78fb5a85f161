-- What a request fails with: { code, number, message, retryable, hint, data }.

local M = {}

M.CANCELLED = -32800
M.METHOD_NOT_FOUND = -32601
M.REQUEST_FAILED = -32803

local function text(value)
  return type(value) == "string" and value or nil
end

--- From the member `error` of an answer, whatever it holds.
function M.from_wire(fault)
  fault = type(fault) == "table" and fault or {}
  local data = type(fault.data) == "table" and fault.data or {}
  return {
    code = text(data.code) or "E_UNKNOWN",
    number = type(fault.code) == "number" and fault.code or 0,
    message = text(fault.message) or "the daemon did not say what is wrong",
    retryable = data.retryable == true,
    hint = text(data.hint),
    data = fault.data,
  }
end

--- One that the plugin itself gives up with; `hint` is the way out.
function M.own(code, message, hint)
  return { code = code, number = 0, message = message, retryable = code ~= "E_BAD_REQUEST", hint = hint }
end

--- In one sentence or two.
function M.say(fault)
  return fault.hint and fault.message .. ". " .. fault.hint or fault.message
end

--- Shows it to the user.
function M.tell(fault)
  M.notify(M.say(fault), vim.log.levels.ERROR)
end

function M.notify(message, level)
  vim.notify("open-think: " .. message, level or vim.log.levels.INFO)
end

return M
