-- The commands. Nothing else is loaded before one of them is used.

if vim.g.loaded_open_think then
  return
end
vim.g.loaded_open_think = true

if vim.fn.has("nvim-0.10") == 0 then
  vim.api.nvim_create_user_command("Helm", function()
    vim.notify("open-think: Neovim 0.10 or later is needed, see :help open-think", vim.log.levels.ERROR)
  end, { nargs = "*", range = true, bang = true })
  return
end

local function command(name, description, options)
  vim.api.nvim_create_user_command(name, function(call)
    require("open-think.commands").run(name, call)
  end, vim.tbl_extend("error", options, {
    desc = description,
    complete = options.nargs ~= 0 and function(lead, line)
      return require("open-think.commands").complete(name, lead, line)
    end or nil,
  }))
end

-- `:edit` of a session's buffer, or of its name, opens the session.
vim.api.nvim_create_autocmd("BufReadCmd", {
  group = vim.api.nvim_create_augroup("open-think", {}),
  pattern = "open-think://*",
  callback = function(event)
    require("open-think.commands").read(event.match)
  end,
})

command("Helm", "Ask Helm; with ! in a new session", { nargs = "*", range = true, bang = true })
command("HelmMode", "Choose what Helm may do by itself", { nargs = "?" })
command("HelmProvider", "Choose who answers", { nargs = "?" })
command("HelmModel", "Choose the model", { nargs = "?" })
command("HelmSession", "Choose a session; with ! a new one", { nargs = "?", bang = true })
command("HelmApprove", "Approve what Helm holds", { nargs = "?" })
command("HelmDeny", "Deny what Helm holds", { nargs = "?" })
command("HelmInterrupt", "Stop what runs in the session", { nargs = 0 })
command("HelmSkill", "Invoke a skill; with ! a dangerous one, unasked", { nargs = "*", bang = true })
command("HelmStatus", "Tell about the daemon and its providers", { nargs = 0 })
