-- One session: what is said in it, and its turns in its buffer.
--
-- The turns may be anybody's. Those of this Neovim are known by the progress that is reported when they are accepted.

local Asks = require("open-think.asks")
local Buffer = require("open-think.buffer")
local client = require("open-think.client")
local config = require("open-think.config")
local errors = require("open-think.errors")
local Feed = require("open-think.feed")
local held = require("open-think.held")
local Transcript = require("open-think.transcript")

local M = {}

local Session = {}
Session.__index = Session

function M.new(name, on)
  local settings = config.get()
  local session = setmetatable({
    name = name,
    mode = settings.mode,
    provider = settings.provider,
    model = settings.model,
    on_gone = on.gone,
    asks = Asks.new(),
    turns = {},
    actions = {},
  }, Session)
  session.feed = Feed.new(name, {
    loaded = function(loaded)
      session:show(loaded)
    end,
    arrived = function()
      session:show_arrived()
    end,
    anew = function()
      session:start_anew()
    end,
  })
  session.buffer = Buffer.new(name, require("open-think.keys").of(session), function()
    session:forget()
  end)
  session.transcript = Transcript.new(session.buffer, session.actions)
  session:redraw()
  return session
end

--- Calls back once there is a connection and every later event is shown.
function Session:attach(callback)
  self.feed:attach(callback)
end

--- Shows the history up to the first turn of which all events are there, and then those.
function Session:show(loaded)
  local by_events = {}
  for _, params in ipairs(self.feed.queue) do
    if params.event.kind == "turn-start" and params.event.iteration == 1 then
      by_events[params.turnId] = true
    end
  end
  self.buffer:write(function()
    for _, message in ipairs(loaded.messages and loaded.messages.messages or {}) do
      local turn = self.turns[message.turnId] or {}
      self.turns[message.turnId] = turn
      if by_events[message.turnId] then
        turn.text = turn.text or message.role == "user" and message.content or nil
      else
        turn.shown = true
        self.transcript:message(message)
      end
    end
    if self.is_anew then
      self.is_anew = false
      self.transcript:entry("- · the daemon has lost count; this is what it has kept")
    end
    self:play()
    for _, action in ipairs(loaded.detail and loaded.detail.heldActions or {}) do
      self.transcript:held(action)
    end
    self.transcript:flush()
  end)
  self:redraw()
end

function Session:show_arrived()
  self.buffer:write(function()
    self:play()
    self.transcript:flush()
  end)
  self:redraw()
  require("open-think.approvals").look(self)
end

--- Shows actions that wait, of which no event told.
function Session:hold(actions)
  self.buffer:write(function()
    for _, action in ipairs(actions) do
      self.transcript:held(action)
    end
  end)
  self:redraw()
  require("open-think.approvals").look(self)
end

--- Events are missing: all is about to be read again.
function Session:start_anew()
  if self.gone then
    return
  end
  self.turns, self.actions, self.is_anew = self.asks:turns(), {}, true
  self.buffer:clear()
  self.transcript = Transcript.new(self.buffer, self.actions)
end

function Session:lost(fault)
  self.running = nil
  self.feed:lost(fault)
  self:redraw()
end

function Session:play()
  local queue = self.feed.queue
  self.feed.queue = {}
  for index, params in ipairs(queue) do
    if not self.turns[params.turnId] and self.asks:may_become_known() then
      -- Its progress, or its answer, comes right behind.
      self.feed.queue = vim.list_slice(queue, index)
      break
    end
    self:play_one(params)
  end
end

function Session:play_one(params)
  local turn = self.turns[params.turnId]
  if not turn then
    turn = {}
    self.turns[params.turnId] = turn
  end
  local kind = params.event.kind
  if not turn.shown then
    turn.shown = true
    self:show_beginning(params.turnId, turn)
  end
  turn.failed = turn.failed or kind == "error"
  self.transcript:event(params)
  if kind == "loop-done" then
    self.running = nil
    client.look()
  elseif kind == "turn-start" then
    self.running = params.turnId
  end
  self.asks:hear(params)
end

function Session:show_beginning(turn_id, turn)
  if turn.text then
    self.transcript:said(turn.text)
  else
    self:find_words(turn_id, self.transcript:said_elsewhere())
  end
  self.transcript:heading("Helm")
end

--- What somebody else said, for the place that was kept for it.
function Session:find_words(turn_id, mark)
  client.request("sessions.messages", { sessionName = self.name, limit = 20 }, function(_, result)
    for _, message in ipairs(result and result.messages or {}) do
      if message.turnId == turn_id and message.role == "user" and not self.gone then
        return self.buffer:write(function()
          self.transcript:fill(mark, message.content)
        end)
      end
    end
  end)
end

--- A turn was accepted; it may be one of ours.
function Session:bind(token, turn_id)
  local ask = self.asks:bind(token, turn_id)
  if ask then
    local turn = self.turns[turn_id] or {}
    turn.text, turn.is_ours = ask.text, true
    self.turns[turn_id] = turn
  end
end

--- Whether a turn was asked for here.
function Session:owns(turn_id)
  local turn = self.turns[turn_id]
  return turn ~= nil and turn.is_ours == true
end

--- Says something to Helm. `opts` may have mode, provider, model and on_event; the handle can be cancelled.
function Session:ask(text, opts, callback)
  local ask = self.asks:add(text, opts.on_event)
  local function finish(fault, result)
    self.asks:remove(ask)
    self:redraw()
    callback(fault, result)
  end
  self:attach(function(fault)
    if fault or ask.cancelled then
      return finish(fault or errors.own("E_CANCELLED", "the request was cancelled"))
    end
    ask.id = client.connection():request("conductor.message", {
      content = text,
      sessionName = self.name,
      mode = opts.mode or self.mode,
      provider = opts.provider or self.provider,
      model = opts.model or (not opts.provider and self.model) or nil,
      stream = false,
      workDoneToken = ask.token,
    }, function(failed, result)
      self:bind(ask.token, type(result) == "table" and result.turnId)
      ask.answered = true
      self.feed:when_settled(function()
        self:answered(ask, failed)
        finish(failed, result)
      end)
    end)
    self:redraw()
  end)
  function ask.cancel()
    ask.cancelled = true
    if ask.id and client.connection() then
      client.connection():cancel(ask.id)
    end
  end
  return { cancel = ask.cancel }
end

function Session:answered(ask, fault)
  if self.gone then
    return
  end
  self.buffer:write(function()
    self:play()
    local turn = ask.turn_id and self.turns[ask.turn_id] or {}
    if fault and not turn.failed then
      if not turn.shown then
        turn.shown = true
        self.transcript:said(ask.text)
      end
      self.transcript:fault(fault)
    end
    self.transcript:flush()
  end)
end

--- Decides held actions by themselves, and goes on with their turn.
function Session:approve(ids, decision, callback)
  self:attach(function(fault)
    if fault then
      return callback(fault)
    end
    local params = { sessionName = self.name, actionIds = ids, decision = decision, stream = false }
    client.connection():request("conductor.approve", params, callback)
  end)
end

--- Stops what runs. While that is somebody else's, it takes back what was asked here and waits for its turn.
function Session:interrupt()
  local waiting = self.running and not self:owns(self.running) and self.asks:last()
  if waiting then
    return waiting.cancel()
  end
  client.request("conductor.interrupt", { sessionName = self.name }, function(fault, result)
    if fault then
      errors.tell(fault)
    elseif not result.interrupted then
      errors.notify("nothing runs in " .. self.name)
    end
  end)
end

--- Its buffer is gone. What is asked goes on, and is answered.
function Session:forget()
  self.gone = true
  self.feed:close()
  self.on_gone(self)
end

function Session:redraw()
  if self.gone then
    return
  end
  local provider, warmth = client.warmth(self.provider)
  local waiting = #held.waiting(self.actions)
  local parts = { "Helm", self.name, self.mode }
  parts[#parts + 1] = provider and (self.model and provider .. "/" .. self.model or provider) or self.model
  parts[#parts + 1] = warmth
  parts[#parts + 1] = self.running and "running" or self.asks:any() and "asking" or nil
  parts[#parts + 1] = waiting > 0 and waiting .. " held" or nil
  parts[#parts + 1] = client.status() ~= "ready" and client.status() or nil
  self.state = table.concat(parts, " · ")
  self.buffer:set_winbar(self.state)
end

return M
