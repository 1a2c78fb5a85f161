-- `:HelmSkill`: runs one skill, without a model.

local client = require("open-think.client")
local errors = require("open-think.errors")
local format = require("open-think.format")

local M = {}

local known = {}

--- Finds out which skills there are.
function M.look()
  client.request("skills.list", nil, function(_, result)
    known = result and result.skills or known
  end)
end

--- The ids of skills, as far as they are known; the next time those are that there are now.
function M.ids()
  M.look()
  return vim.tbl_map(function(skill)
    return skill.id
  end, known)
end

local function show(skill, data)
  local buffer = vim.api.nvim_create_buf(false, true)
  local lines = { "# " .. skill, "" }
  vim.list_extend(lines, type(data) == "string" and format.lines(data) or format.input(data))
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].filetype = "markdown"
  vim.bo[buffer].modifiable = false
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buffer, nowait = true })
  vim.cmd("botright split")
  vim.api.nvim_win_set_buf(0, buffer)
end

local function invoke(skill, input, confirm)
  local params = { skill = skill, input = input, confirm = confirm }
  client.request("skills.invoke", params, function(fault, result)
    if not fault then
      return show(skill, result.data)
    end
    if fault.code ~= "E_APPROVAL_REQUIRED" then
      return errors.tell(fault)
    end
    local prompt = ("%s is dangerous. Run it with %s?"):format(skill, vim.json.encode(input))
    vim.ui.select({ "no", "run it" }, { prompt = prompt }, function(choice)
      if choice == "run it" then
        invoke(skill, input, true)
      end
    end)
  end)
end

local function read_input(text)
  if text == "" then
    return vim.empty_dict()
  end
  local read, input = pcall(vim.json.decode, text)
  if not read or type(input) ~= "table" then
    return nil
  end
  return input
end

local function pick(confirm)
  client.request("skills.list", nil, function(fault, result)
    if fault then
      return errors.tell(fault)
    end
    local options = {
      prompt = "Skill",
      format_item = function(skill)
        return format.line((skill.dangerous and "! " or "") .. skill.id .. " · " .. skill.description)
      end,
    }
    vim.ui.select(result.skills, options, function(skill)
      if skill then
        vim.ui.input({ prompt = skill.id .. ": ", default = "{}" }, function(text)
          if text then
            M.run({ args = skill.id .. " " .. text, bang = confirm })
          end
        end)
      end
    end)
  end)
end

function M.run(call)
  local skill, rest = call.args:match("^%s*(%S+)%s*(.-)%s*$")
  if not skill then
    return pick(call.bang)
  end
  local input = read_input(rest)
  if not input then
    return errors.notify(("the input of %s must be JSON, as in :HelmSkill %s {}"):format(skill, skill), vim.log.levels.ERROR)
  end
  invoke(skill, input, call.bang)
end

return M
