-- What this Neovim has asked in a session and is not answered yet, and which turns those are.

local M = {}

local Asks = {}
Asks.__index = Asks

local last_token = 0

function M.new()
  return setmetatable({ by_token = {} }, Asks)
end

--- `on_event` hears the events of the turn.
function Asks:add(text, on_event)
  last_token = last_token + 1
  local ask = { token = "neovim-" .. last_token, text = text, on_event = on_event }
  self.by_token[ask.token] = ask
  return ask
end

function Asks:remove(ask)
  self.by_token[ask.token] = nil
end

function Asks:any()
  return next(self.by_token) ~= nil
end

--- What was sent last.
function Asks:last()
  local last
  for _, ask in pairs(self.by_token) do
    if ask.id and not ask.answered and not ask.cancelled and (not last or ask.id > last.id) then
      last = ask
    end
  end
  return last
end

--- A turn was accepted: gives what was asked, if it was asked here and this is new.
function Asks:bind(token, turn_id)
  local ask = token ~= nil and self.by_token[token]
  if ask and not ask.turn_id and type(turn_id) == "string" then
    ask.turn_id = turn_id
    return ask
  end
end

--- Whether a turn that is not known may turn out to be one of these.
function Asks:may_become_known()
  for _, ask in pairs(self.by_token) do
    if ask.id and not ask.turn_id and not ask.answered then
      return true
    end
  end
  return false
end

function Asks:hear(params)
  for _, ask in pairs(self.by_token) do
    if ask.turn_id == params.turnId and ask.on_event then
      local fine, why = pcall(ask.on_event, params.event)
      if not fine then
        require("open-think.errors").notify(tostring(why), vim.log.levels.ERROR)
      end
    end
  end
end

--- The turns that are known, as a session keeps them.
function Asks:turns()
  local turns = {}
  for _, ask in pairs(self.by_token) do
    if ask.turn_id then
      turns[ask.turn_id] = { text = ask.text, is_ours = true }
    end
  end
  return turns
end

return M
