-- Writes what happens in a session into its buffer: one function for each kind of event.
--
-- All of it is called inside Buffer:write. Text that streams is kept until `flush`, so that a burst is one change.

local format = require("open-think.format")
local held = require("open-think.held")

local Transcript = {}
Transcript.__index = Transcript

local M = {}

--- `actions` is where those are kept that wait for a decision.
function M.new(buffer, actions)
  return setmetatable({ buffer = buffer, actions = actions, blocks = {}, waiting = {} }, Transcript)
end

function Transcript:heading(text)
  self:flush()
  self.buffer:append({ "## " .. text, "" }, true)
end

--- What a user said.
function Transcript:said(text, who)
  self:heading(who or "You")
  self.buffer:append(format.lines(text))
end

--- Keeps a place for what somebody else said, which is not known yet.
function Transcript:said_elsewhere()
  self:heading("You, elsewhere")
  local row = self.buffer:append({ "" })
  return self.buffer:mark(row, 0, { right_gravity = false })
end

function Transcript:fill(mark, text)
  local row, column = self.buffer:place(mark)
  if row then
    self.buffer:insert(row, column, text)
  end
end

function Transcript:entry(text, group)
  self:flush()
  self.buffer:append_marked({ text }, group or "OpenThinkDim", not self.in_list)
  self.in_list = true
end

function Transcript:fault(fault)
  self:flush()
  local lines = format.lines("**Error** " .. fault.message .. " (" .. fault.code .. ")")
  if fault.hint then
    vim.list_extend(lines, format.lines(fault.hint))
  end
  self.buffer:append_marked(lines, "OpenThinkError", true)
  self.in_list = false
end

local function key_of(params)
  return params.turnId .. ":" .. tostring(params.event.index)
end

--- A stretch of text that grows at its own end, whatever comes behind it.
function Transcript:open_block(params, group)
  self:flush()
  local row = self.buffer:append({ "" }, true)
  self.in_list = false
  local block = { turn_id = params.turnId, pending = {}, text = {}, group = group }
  block.first = self.buffer:mark(row, 0, { right_gravity = false })
  block.last = self.buffer:mark(row, 0, { right_gravity = true })
  self.blocks[key_of(params)] = block
  return block
end

function Transcript:grow(block, text)
  assert(type(text) == "string", "it is no text")
  if #block.pending == 0 then
    table.insert(self.waiting, block)
  end
  table.insert(block.pending, text)
  table.insert(block.text, text)
end

--- Writes what has come of all blocks.
function Transcript:flush()
  local waiting = self.waiting
  self.waiting = {}
  for _, block in ipairs(waiting) do
    local row, column = self.buffer:place(block.last)
    if row then
      self.buffer:insert(row, column, table.concat(block.pending))
    end
    block.pending = {}
    if block.group then
      self:colour(block, block.group)
    end
  end
end

function Transcript:colour(block, group)
  local first = self.buffer:place(block.first)
  local last = self.buffer:place(block.last)
  if first and last then
    vim.api.nvim_buf_set_extmark(self.buffer.id, require("open-think.buffer").namespace, first, 0, {
      id = block.coloured,
      end_row = last + 1,
      end_col = 0,
      hl_group = group,
      strict = false,
    })
  end
end

function Transcript:replace(block, text)
  local row, column = self.buffer:place(block.first)
  local end_row, end_column = self.buffer:place(block.last)
  if row and end_row then
    vim.api.nvim_buf_set_text(self.buffer.id, row, column, end_row, end_column, format.lines(text))
  end
end

local KINDS = {}

KINDS["turn-start"] = function() end
KINDS["turn-stop"] = function() end
KINDS["text-start"] = function() end
KINDS["tool-use-start"] = function() end
KINDS["tool-use-input"] = function() end

KINDS["text-delta"] = function(self, params)
  self:grow(self.blocks[key_of(params)] or self:open_block(params), params.event.text)
end

KINDS["text-stop"] = function(self, params)
  local event = params.event
  local block = self.blocks[key_of(params)]
  if not block then
    if event.text ~= "" then
      self:grow(self:open_block(params), event.text)
      self:flush()
    end
  elseif table.concat(block.text) ~= event.text then
    -- Some of it was not heard.
    self:flush()
    self:replace(block, event.text)
  end
  self.blocks[key_of(params)] = nil
end

KINDS["reasoning-delta"] = function(self, params)
  self:grow(self.blocks[key_of(params)] or self:open_block(params, "OpenThinkDim"), params.event.text)
end

KINDS["tool-use-stop"] = function(self, params)
  local event = params.event
  self:entry(("- → `%s` %s"):format(event.name, event.input == nil and "" or format.line(event.input)))
end

KINDS["tool-result"] = function(self, params)
  local event = params.event
  local took = type(event.durationMs) == "number" and (" %d ms"):format(event.durationMs) or ""
  local told = event.ok and event.data or event.error
  local text = ("- %s `%s`%s"):format(event.ok and "✓" or "✗", event.skill, took)
  self:entry(told == nil and text or text .. ": " .. format.line(told), event.ok and "OpenThinkDim" or "OpenThinkError")
  held.ran(self.actions, event.toolUseId, event.ok)
end

KINDS["tool-held"] = function(self, params)
  local event = params.event
  self:held({ id = event.actionId, toolUseId = event.toolUseId, skill = event.skill, input = event.input, reason = event.reason })
end

KINDS["attempt-failed"] = function(self, params)
  local event = params.event
  self:flush()
  for key, block in pairs(self.blocks) do
    if block.turn_id == params.turnId then
      self:colour(block, "OpenThinkVoid")
      self.blocks[key] = nil
    end
  end
  local who = event.model and event.provider .. "/" .. event.model or event.provider
  self:entry(("- %s failed: %s; another attempt is made"):format(who, format.line(event.error)), "OpenThinkError")
end

KINDS["error"] = function(self, params)
  self:fault(require("open-think.errors").from_wire(params.event.error))
end

KINDS["loop-done"] = function(self, params)
  local event = params.event
  local result = type(event.result) == "table" and event.result or nil
  for _, action in ipairs(result and result.suggestedActions or {}) do
    self:held(action)
  end
  self:flush()
  self.buffer:append_marked({ format.ending(event.stopReason, result) }, "OpenThinkDim", true)
  self.in_list = false
end

--- An action that waits, with the whole of its input.
function Transcript:held(action)
  if self.actions[action.id] then
    return
  end
  self:flush()
  self.in_list = false
  local lines = { "### " .. action.skill, "" }
  if action.reason then
    vim.list_extend(lines, format.lines(action.reason))
    lines[#lines + 1] = ""
  end
  vim.list_extend(lines, format.input(action.input))
  local row = self.buffer:append(lines, true)
  held.add(self.actions, self.buffer, action, row, #lines)
end

--- One event. Of a kind that is not known a dim line is all there is, and of one that is not as it should be.
function Transcript:event(params)
  local kind = params.event.kind
  local write = KINDS[kind]
  if not write then
    return self:entry("- · " .. format.line(type(kind) == "string" and kind or "something new"))
  end
  if not pcall(write, self, params) then
    self:entry("- · " .. kind .. " (this version does not understand it)")
  end
end

--- A message of the session's history.
function Transcript:message(message)
  if message.role == "user" then
    return self:said(message.content or "")
  end
  if message.role == "assistant" and type(message.content) == "string" and message.content ~= "" then
    self:flush()
    self.buffer:append(format.lines(message.content), true)
    self.in_list = false
  end
  for _, block in ipairs(type(message.blocks) == "table" and message.blocks or {}) do
    if block.type == "tool-use" then
      self:entry(("- → `%s` %s"):format(tostring(block.name or block.skill), block.input == nil and "" or format.line(block.input)))
    elseif block.type == "tool-result" then
      self:entry(("- %s `%s`: %s"):format(block.ok and "✓" or "✗", tostring(block.skill), format.line(block.content or "")))
    end
  end
end

return M
