-- What other plugins and configurations use; see :help open-think-api. Nothing is started before it is needed.

local M = {}

--- Takes settings, see :help open-think-settings. Not needed for the defaults.
function M.setup(settings)
  require("open-think.config").set(settings or {})
end

--- Asks Helm; `callback(fault, result)` hears the end. `opts` may have session, mode, provider, model, on_event and
--- show. The handle that it gives has cancel().
function M.ask(text, opts, callback)
  opts = opts or {}
  local sessions = require("open-think.sessions")
  local session = opts.session and sessions.get(opts.session) or sessions.current()
  if opts.show then
    session.buffer:show(false)
  end
  return session:ask(text, opts, callback or function(fault)
    if fault then
      require("open-think.errors").tell(fault)
    end
  end)
end

--- Any method of `open-think schema --format openrpc`; `callback(fault, result)`.
function M.request(method, params, callback)
  require("open-think.client").request(method, params, callback)
end

--- Offers a skill to Helm: { id, description, input_schema, dangerous, timeout_ms, handler }.
function M.register_skill(skill, callback)
  require("open-think.skills").register(skill, callback)
end

function M.unregister_skill(id)
  require("open-think.skills").unregister(id)
end

--- For statuslines: how the session of `:Helm` stands, or nothing before it is used.
function M.status()
  if not package.loaded["open-think.session"] then
    return ""
  end
  local session = require("open-think.sessions").peek()
  return session and session.state or ""
end

return M
