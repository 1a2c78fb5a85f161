-- What Helm can do in this editor. Paths are those of files in the working directory, or of buffers that are open;
-- lines count from 1.

local MOST_DIAGNOSTICS = 500
local SEVERITIES = { "error", "warning", "information", "hint" }
local PATH = { type = "string", description = "Relative to the working directory." }

local function relative(path)
  return vim.fn.fnamemodify(path, ":.")
end

local function open_buffer(path)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local is_file = vim.bo[buffer].buftype == "" and vim.bo[buffer].buflisted
    if is_file and vim.api.nvim_buf_get_name(buffer) == path then
      return buffer
    end
  end
end

--- Loads it without a question. What another Neovim has open, or had when it died, is there to be read only.
local function load(buffer)
  local messages = vim.o.shortmess
  vim.opt.shortmess:append("A")
  local fine, fault = pcall(vim.fn.bufload, buffer)
  vim.o.shortmess = messages
  if not fine then
    error(fault, 0)
  end
  local swap = vim.fn.swapname(buffer)
  if swap ~= "" and not swap:match("%.swp$") then
    vim.bo[buffer].readonly = true
  end
end

--- The buffer of a file, loaded; raises where it is none of those that Helm may name.
local function buffer_of(path)
  local directory = vim.uv.fs_realpath(vim.fn.getcwd())
  local full = vim.fs.normalize(path, { expand_env = false })
  if full:sub(1, 1) ~= "/" and not full:match("^%a:/") then
    full = vim.fs.normalize(vim.fn.getcwd() .. "/" .. full, { expand_env = false })
  end
  local buffer = open_buffer(full)
  if not buffer then
    local real = vim.uv.fs_realpath(full)
    local found = real and vim.uv.fs_stat(real)
    if not found or found.type ~= "file" then
      error("there is no file " .. path, 0)
    end
    if not vim.startswith(vim.fs.normalize(real), vim.fs.normalize(directory) .. "/") then
      error(path .. " is outside the working directory", 0)
    end
    -- What is written there may be run by Git.
    if vim.list_contains(vim.split(vim.fs.normalize(real), "/"), ".git") then
      error(path .. " is a file of Git's", 0)
    end
    buffer = vim.fn.bufadd(full)
  end
  vim.bo[buffer].buflisted = true
  if not vim.api.nvim_buf_is_loaded(buffer) then
    load(buffer)
  end
  return buffer
end

--- The window that the user works in: this one, or the last one with a file.
local function working_window()
  local best, best_used
  for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    local buffer = vim.api.nvim_win_get_buf(window)
    local floats = vim.api.nvim_win_get_config(window).relative ~= ""
    if vim.bo[buffer].buftype == "" and not floats then
      local used = window == vim.api.nvim_get_current_win() and math.huge
        or window == vim.fn.win_getid(vim.fn.winnr("#")) and 1
        or 0
      if not best or used > best_used then
        best, best_used = window, used
      end
    end
  end
  return best
end

local function open_file(input)
  local buffer = buffer_of(input.path)
  local window = working_window()
  if not window then
    vim.cmd("topleft vsplit")
    window = vim.api.nvim_get_current_win()
  end
  vim.api.nvim_win_set_buf(window, buffer)
  local line
  if input.line then
    line = math.max(1, math.min(math.floor(input.line), vim.api.nvim_buf_line_count(buffer)))
    vim.api.nvim_win_set_cursor(window, { line, 0 })
  end
  return { path = relative(vim.api.nvim_buf_get_name(buffer)), line = line }
end

local function selection_in_window()
  local mode = vim.api.nvim_get_mode().mode
  local is_visual = mode:match("^[vV\22]") ~= nil
  local from, to = vim.fn.getpos(is_visual and "v" or "'<"), vim.fn.getpos(is_visual and "." or "'>")
  if from[2] == 0 or to[2] == 0 then
    local line = vim.api.nvim_win_get_cursor(0)[1]
    return { text = "", startLine = line, endLine = line }
  end
  local kind = is_visual and mode:sub(1, 1) or vim.fn.visualmode()
  local lines = vim.fn.getregion(from, to, { type = kind ~= "" and kind or "v" })
  return { text = table.concat(lines, "\n"), startLine = math.min(from[2], to[2]), endLine = math.max(from[2], to[2]) }
end

local function read_selection()
  local window = working_window()
  if not window then
    error("no file is open in the editor", 0)
  end
  local buffer = vim.api.nvim_win_get_buf(window)
  local selection = vim.api.nvim_win_call(window, selection_in_window)
  selection.path = relative(vim.api.nvim_buf_get_name(buffer))
  selection.languageId = vim.bo[buffer].filetype
  return selection
end

local function list_diagnostics(input)
  local found = vim.diagnostic.get(input.path and buffer_of(input.path) or nil)
  table.sort(found, function(one, other)
    if one.severity ~= other.severity then
      return one.severity < other.severity
    end
    return one.bufnr < other.bufnr or one.bufnr == other.bufnr and one.lnum < other.lnum
  end)
  local diagnostics = {}
  for index = 1, math.min(#found, MOST_DIAGNOSTICS) do
    local each = found[index]
    diagnostics[index] = {
      path = relative(vim.api.nvim_buf_get_name(each.bufnr)),
      line = each.lnum + 1,
      severity = SEVERITIES[each.severity],
      message = each.message,
      source = each.source,
    }
  end
  return { diagnostics = diagnostics }
end

--- Row and column of a place in the text of a buffer.
local function place(text, offset)
  local before = text:sub(1, offset - 1)
  local _, row = before:gsub("\n", "")
  return row, #before:match("[^\n]*$")
end

--- Takes what the file has become meanwhile; raises where there are changes here too.
local function catch_up(buffer)
  local differs
  -- Without this the user would be asked.
  local listener = vim.api.nvim_create_autocmd("FileChangedShell", {
    buffer = buffer,
    callback = function()
      differs, vim.v.fcs_choice = true, ""
    end,
  })
  pcall(vim.cmd, "silent checktime " .. buffer)
  vim.api.nvim_del_autocmd(listener)
  if differs then
    error("the file has changed on disk since the editor has read it", 0)
  end
end

--- Writes it; what hinders that is for the user to see to.
local function save(buffer)
  vim.api.nvim_buf_call(buffer, function()
    pcall(vim.cmd, "silent update")
  end)
  return not vim.bo[buffer].modified
end

local function apply_edit(input, _, context)
  local buffer = buffer_of(input.path)
  catch_up(buffer)
  local old, new = input.oldText:gsub("\r\n", "\n"), input.newText:gsub("\r\n", "\n")
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  local text = table.concat(lines, "\n") .. "\n"
  local first, last = text:find(old, 1, true)
  if old == "" or not first then
    error("oldText is not in the file; read it again", 0)
  end
  if text:find(old, first + 1, true) then
    error("oldText is in the file more than once; give more of what is around it", 0)
  end
  if not vim.bo[buffer].modifiable or vim.bo[buffer].readonly then
    error("the file cannot be changed here", 0)
  end
  if context.cancelled then
    error("the turn has ended", 0)
  end
  -- The line break at the end of a buffer is none of its text.
  if last == #text then
    last, old = last - 1, old:sub(1, -2)
    new = new:gsub("\n$", "")
  end
  local row, column = place(text, first)
  local end_row, end_column = place(text, last + 1)
  local was_saved = not vim.bo[buffer].modified
  vim.api.nvim_buf_set_text(buffer, row, column, end_row, end_column, vim.split(new, "\n", { plain = true }))
  -- What the user has not saved is left for them to save.
  local saved = was_saved and save(buffer)
  return { path = relative(vim.api.nvim_buf_get_name(buffer)), line = row + 1, saved = saved }
end

local function schema(properties, required)
  return {
    type = "object",
    properties = next(properties) and properties or vim.empty_dict(),
    required = required,
    additionalProperties = false,
  }
end

return {
  {
    id = "editor-open-file",
    description = "Shows a file in the user's editor, at a line if one is given.",
    input_schema = schema({ path = PATH, line = { type = "integer", minimum = 1 } }, { "path" }),
    dangerous = false,
    handler = open_file,
  },
  {
    id = "editor-read-selection",
    description = "Reads what the user has selected in the editor, and tells in which file and lines it is.",
    input_schema = schema({}, {}),
    dangerous = false,
    handler = read_selection,
  },
  {
    id = "editor-list-diagnostics",
    description = "Lists the errors and warnings that the editor shows, of one file or of all.",
    input_schema = schema({ path = PATH }, {}),
    dangerous = false,
    handler = list_diagnostics,
  },
  {
    id = "editor-apply-edit",
    description = "Replaces a text that stands exactly once in a file. The user can undo it.",
    input_schema = schema(
      { path = PATH, oldText = { type = "string" }, newText = { type = "string" } },
      { "path", "oldText", "newText" }
    ),
    dangerous = true,
    handler = apply_edit,
  },
}
