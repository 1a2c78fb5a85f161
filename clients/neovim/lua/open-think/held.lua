-- The actions of a session that wait, or waited, for a decision, and how they look in its buffer.

local config = require("open-think.config")

local M = {}

local namespace = vim.api.nvim_create_namespace("open-think-held")

local LABELS = {
  approved = { "approved", "OpenThinkDecided" },
  denied = { "denied", "OpenThinkError" },
  ran = { "ran", "OpenThinkDecided" },
  refused = { "did not run", "OpenThinkError" },
}

local function waiting_label()
  local keys = config.get().keys
  local parts = { "waits" }
  for _, name in ipairs({ "approve", "deny" }) do
    if keys[name] then
      parts[#parts + 1] = keys[name] .. " " .. name
    end
  end
  return { table.concat(parts, " · "), "OpenThinkHeld" }
end

local function draw(action)
  if not vim.api.nvim_buf_is_loaded(action.buffer) then
    return
  end
  local row = action.row
  if action.mark then
    row = vim.api.nvim_buf_get_extmark_by_id(action.buffer, namespace, action.mark, {})[1] or row
  end
  action.mark = vim.api.nvim_buf_set_extmark(action.buffer, namespace, row, 0, {
    id = action.mark,
    end_row = row + action.height,
    end_col = 0,
    strict = false,
    virt_text = { LABELS[action.state] or waiting_label() },
    virt_text_pos = "eol",
  })
end

--- Takes up an action that is written from `row` on.
function M.add(actions, buffer, action, row, height)
  local entry = {
    id = action.id,
    skill = action.skill,
    input = action.input,
    tool_use_id = action.toolUseId,
    buffer = buffer.id,
    row = row,
    height = height,
    state = "waiting",
  }
  actions[action.id] = entry
  draw(entry)
end

function M.set(action, state)
  if action and action.state ~= state then
    action.state = state
    draw(action)
  end
end

--- A skill has run, or its call was refused; the action behind it waits no longer.
function M.ran(actions, tool_use_id, ok)
  for _, action in pairs(actions) do
    if tool_use_id and action.tool_use_id == tool_use_id and action.state ~= "denied" then
      M.set(action, ok and "ran" or "refused")
    end
  end
end

--- Those that wait, in the order in which they are written.
function M.waiting(actions)
  local waiting = vim.tbl_filter(function(action)
    return action.state == "waiting"
  end, vim.tbl_values(actions))
  table.sort(waiting, function(one, other)
    return one.row < other.row
  end)
  return waiting
end

--- The row of its heading.
function M.row(action)
  return vim.api.nvim_buf_get_extmark_by_id(action.buffer, namespace, action.mark, {})[1]
end

--- The one at a row that waits.
function M.at(actions, row)
  for _, action in ipairs(M.waiting(actions)) do
    local first = M.row(action)
    if first and row >= first and row < first + action.height then
      return action
    end
  end
end

return M
