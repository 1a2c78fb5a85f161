-- The buffer of a session, and the windows that show it.

local config = require("open-think.config")

local M = {}

local Buffer = {}
Buffer.__index = Buffer

M.SCHEME = "open-think://"
M.namespace = vim.api.nvim_create_namespace("open-think")

local HIGHLIGHTS = {
  OpenThinkDim = "Comment",
  OpenThinkError = "DiagnosticError",
  OpenThinkHeld = "DiagnosticWarn",
  OpenThinkDecided = "DiagnosticOk",
}

local function set_highlights()
  for name, link in pairs(HIGHLIGHTS) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
  vim.api.nvim_set_hl(0, "OpenThinkVoid", { strikethrough = true, default = true })
end

--- Takes the name, and the windows, of a buffer that was unloaded.
local function take_over(id, name)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(buffer) == name then
      for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
        vim.api.nvim_win_set_buf(window, id)
      end
      vim.api.nvim_buf_delete(buffer, { force = true })
    end
  end
  vim.api.nvim_buf_set_name(id, name)
end

--- `actions` are what keys do, by the names of the setting `keys`; `on_gone` hears that it is unloaded.
function M.new(session_name, actions, on_gone)
  set_highlights()
  local id = vim.api.nvim_create_buf(false, true)
  take_over(id, M.SCHEME .. session_name)
  for option, value in pairs({ bufhidden = "hide", swapfile = false, undolevels = -1, modifiable = false }) do
    vim.api.nvim_set_option_value(option, value, { buf = id })
  end
  vim.api.nvim_set_option_value("filetype", "markdown", { buf = id })
  for action, key in pairs(config.get().keys) do
    if key then
      vim.keymap.set("n", key, actions[action], { buffer = id, nowait = true, desc = "Helm: " .. action })
    end
  end
  vim.api.nvim_create_autocmd("BufUnload", { buffer = id, callback = on_gone })
  local buffer = setmetatable({ id = id, winbar = "" }, Buffer)
  vim.api.nvim_create_autocmd("BufWinEnter", {
    buffer = id,
    callback = function()
      buffer:dress()
    end,
  })
  buffer:dress()
  return buffer
end

function Buffer:windows()
  return vim.fn.win_findbuf(self.id)
end

--- A window of this tab page that shows it.
function Buffer:window()
  local here = vim.api.nvim_get_current_tabpage()
  for _, window in ipairs(self:windows()) do
    if vim.api.nvim_win_get_tabpage(window) == here then
      return window
    end
  end
end

--- Shows it, and goes there if that is wanted. Neither the mode nor the place of whoever types is touched otherwise.
function Buffer:show(focus)
  local window = self:window()
  -- No window can be made beside the command-line window.
  if not window and vim.fn.getcmdwintype() == "" then
    window = vim.api.nvim_open_win(self.id, false, { split = config.get().window, win = -1 })
    vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(self.id), 0 })
    self:dress()
  end
  if focus and window then
    vim.api.nvim_set_current_win(window)
  end
  return window
end

--- Nothing of it may be hidden: what is approved is read here.
local function set_up_window(window)
  local options = { wrap = true, linebreak = true, number = false, relativenumber = false, conceallevel = 0, foldenable = false }
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { win = window, scope = "local" })
  end
end

function Buffer:dress()
  for _, window in ipairs(self:windows()) do
    set_up_window(window)
    vim.api.nvim_set_option_value("winbar", self.winbar, { win = window, scope = "local" })
  end
end

function Buffer:set_winbar(text)
  text = text:gsub("%%", "%%%%")
  if text ~= self.winbar then
    self.winbar = text
    for _, window in ipairs(self:windows()) do
      vim.api.nvim_set_option_value("winbar", text, { win = window, scope = "local" })
    end
  end
end

--- Everything that changes the text is done inside. Windows whose cursor is at the end stay there.
function Buffer:write(change)
  local last = vim.api.nvim_buf_line_count(self.id)
  local following = vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] == last
  end, self:windows())
  vim.api.nvim_set_option_value("modifiable", true, { buf = self.id })
  local fine, fault = pcall(change)
  vim.api.nvim_set_option_value("modifiable", false, { buf = self.id })
  last = vim.api.nvim_buf_line_count(self.id)
  for _, window in ipairs(following) do
    vim.api.nvim_win_set_cursor(window, { last, 0 })
  end
  if not fine then
    error(fault, 0)
  end
end

function Buffer:clear()
  self:write(function()
    vim.api.nvim_buf_clear_namespace(self.id, M.namespace, 0, -1)
    vim.api.nvim_buf_set_lines(self.id, 0, -1, false, {})
  end)
end

local function is_blank(line)
  return line == nil or line == ""
end

--- Adds lines at the end and gives the row of the first. With `apart` an empty line comes before them.
function Buffer:append(lines, apart)
  local count = vim.api.nvim_buf_line_count(self.id)
  local last = vim.api.nvim_buf_get_lines(self.id, count - 1, count, false)[1]
  local is_empty = count == 1 and is_blank(last)
  if is_empty then
    vim.api.nvim_buf_set_lines(self.id, 0, -1, false, lines)
    return 0
  end
  if apart and not is_blank(last) then
    lines = vim.list_extend({ "" }, lines)
    vim.api.nvim_buf_set_lines(self.id, count, count, false, lines)
    return count + 1
  end
  vim.api.nvim_buf_set_lines(self.id, count, count, false, lines)
  return count
end

--- Adds lines in a colour.
function Buffer:append_marked(lines, group, apart)
  local row = self:append(lines, apart)
  self:colour(row, 0, row + #lines, group)
  return row
end

function Buffer:colour(row, column, end_row, group)
  local options = { end_row = end_row, end_col = 0, hl_group = group, strict = false }
  return vim.api.nvim_buf_set_extmark(self.id, M.namespace, row, column, options)
end

function Buffer:mark(row, column, options)
  return vim.api.nvim_buf_set_extmark(self.id, M.namespace, row, column, options or {})
end

function Buffer:place(mark)
  local place = vim.api.nvim_buf_get_extmark_by_id(self.id, M.namespace, mark, { details = true })
  return place[1], place[2], place[3]
end

function Buffer:insert(row, column, text)
  vim.api.nvim_buf_set_text(self.id, row, column, row, column, vim.split(text, "\n", { plain = true }))
end

return M
