-- The events of a session, whoever caused them: from the first that the daemon still has, in order and each once, across
-- lost connections.

local client = require("open-think.client")
local errors = require("open-think.errors")

local M = {}

local HISTORY = 100

local Feed = {}
Feed.__index = Feed

--- `on` has loaded(loaded), called with the history once all events are there that go with it; arrived(), when there
--- is something in `queue`; and anew(), when events are missing and all is about to be read again.
function M.new(name, on)
  return setmetatable({ name = name, on = on, attaching = {}, queue = {}, reached = 0, asked_from = 0 }, Feed)
end

--- Calls back once there is a connection and every later event will come.
function Feed:attach(callback)
  if self.attached then
    return client.with(callback)
  end
  table.insert(self.attaching, callback)
  if not self.deaf and not self.loading then
    self:start()
  end
end

function Feed:start()
  self.loading = true
  self:load(function(fault, loaded)
    self.loading = false
    if not fault and not self.closed then
      self.attached = true
      self.on.loaded(loaded)
    end
    self:settle(fault)
  end)
end

function Feed:settle(fault)
  local waiting = self.attaching
  self.attaching = {}
  for _, each in ipairs(waiting) do
    each(fault)
  end
end

--- Calls back at once, or if it is just read anew, after that.
function Feed:when_settled(callback)
  if self.loading or self.deaf then
    table.insert(self.attaching, callback)
  else
    callback()
  end
end

--- The events that the daemon still has, and the messages for what was before them.
function Feed:load(callback)
  client.with(function(fault, connection)
    if fault then
      return callback(fault)
    end
    self.reached, self.asked_from, self.queue = 0, 0, {}
    local loaded, open = {}, 3
    local function got(name)
      return function(failed, result)
        open = open - 1
        loaded[name] = result
        -- Without a session there are no messages; without a subscription there is nothing.
        if name == "subscription" then
          fault = failed
        end
        if open == 0 then
          self.load_until = not fault and loaded.subscription.seq or nil
          self.on_loaded = function(lost)
            callback(fault or lost, loaded)
          end
          self:drained()
        end
      end
    end
    local session = { sessionName = self.name }
    connection:request("conductor.subscribe", { sessionName = self.name, afterSeq = 0 }, got("subscription"))
    connection:request("sessions.messages", { sessionName = self.name, limit = HISTORY }, got("messages"))
    connection:request("sessions.get", session, got("detail"))
  end)
end

--- The connection was lost.
function Feed:lost(fault)
  self.is_behind = self.attached
  local on_loaded = self.on_loaded
  self.on_loaded = nil
  if on_loaded then
    on_loaded(fault)
  end
end

--- It was made again: goes on with the event behind the last.
function Feed:connected(connection)
  if not self.is_behind then
    return
  end
  self.is_behind, self.asked_from = false, self.reached
  connection:request("conductor.subscribe", { sessionName = self.name, afterSeq = self.reached }, function(fault)
    if fault then
      errors.tell(fault)
    end
  end)
end

--- An event has come. One that was there before is passed over; a daemon that counts anew says so by `resync`.
function Feed:event(params)
  if self.deaf then
    return
  end
  local is_resync = params.event.kind == "resync"
  if params.seq <= self.reached and not (is_resync and params.seq < self.asked_from) then
    return
  end
  self.reached = params.seq
  if not is_resync then
    table.insert(self.queue, params)
  elseif self.attached then
    self:begin_again()
  end
end

--- Events are missing. What still comes of the old subscription would be mixed up with what the new one repeats.
function Feed:begin_again()
  self.attached, self.deaf = false, true
  client.request("conductor.unsubscribe", { sessionName = self.name }, function(fault)
    self.deaf = false
    if fault then
      return self:settle(fault)
    end
    self.on.anew()
    self:start()
  end)
end

--- All that came in one go is there.
function Feed:drained()
  local on_loaded = self.on_loaded
  if on_loaded and (not self.load_until or self.reached >= self.load_until) then
    self.on_loaded = nil
    on_loaded()
  end
  if self.attached and #self.queue > 0 and not self.closed then
    self.on.arrived()
  end
end

--- Nobody listens any more.
function Feed:close()
  self.closed = true
  local connection = client.connection()
  if connection and self.attached then
    connection:request("conductor.unsubscribe", { sessionName = self.name }, function() end)
  end
end

return M
