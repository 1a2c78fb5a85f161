-- What Neovim's users look at: the health check, the help, and what is loaded before anything is used.

local check = require("check")
local test = check.test

local function health()
  vim.cmd("silent checkhealth open-think")
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

test("the health check tells how all stands", function()
  local text = health()
  check.has(text, "OK Neovim " .. tostring(vim.version()))
  check.has(text, "OK open-think ")
  check.has(text, "OK version ")
  check.has(text, "this Neovim was connected in ")
  check.has(text, "OK offline (default): configured")
  check.has(text, "anthropic: not configured")
  check.has(text, "OK mode selective, session test")
  assert(not text:find("ERROR", 1, true), text)
  check.has(
    health(),
    "skills offered from here: editor-apply-edit, editor-list-diagnostics, editor-open-file, editor-read-selection"
  )
end)

test("the health check names the way out where the program is missing", function()
  check.setup({ command = { "open-thunk", "--stdio" } })
  local text = health()
  check.has(text, "ERROR there is no program `open-thunk`")
  check.has(text, "Or name it: require")
end)

test("nothing is loaded before it is used", function()
  for name in pairs(package.loaded) do
    assert(not name:match("^open%-think") or name == "open-think" or name == "open-think.config", name)
  end
  check.equal(require("open-think").status(), "")
  assert(not package.loaded["open-think.client"])
  check.equal(vim.fn.exists(":HelmMode"), 2)
end)

test("the help has a tag for every command and setting", function()
  local folder = check.home .. "/doc"
  vim.fn.mkdir(folder)
  assert(vim.uv.fs_copyfile(check.plugin .. "/doc/open-think.txt", folder .. "/open-think.txt"))
  vim.cmd.helptags(folder)
  local tags = table.concat(vim.fn.readfile(folder .. "/tags"), "\n")
  for name in pairs(vim.api.nvim_get_commands({})) do
    if name:match("^Helm") then
      check.has("\n" .. tags, "\n:" .. name .. "\t")
    end
  end
  for name in pairs(require("open-think.config").get()) do
    check.has(tags, "open-think-setting-" .. name .. "\t")
  end
  for _, name in ipairs({ "setup", "ask", "request", "register_skill", "unregister_skill", "status" }) do
    check.has(tags, "open-think." .. name .. "()\t")
  end
  vim.opt.runtimepath:append(check.home)
  vim.cmd("silent help open-think")
  check.equal(vim.fn.expand("%:t"), "open-think.txt")
end)
