-- How big the plugin is, and how soon it answers.

local check = require("check")

check.test("the figures", function()
  local bytes, files = 0, 0
  for _, part in ipairs({ "plugin", "lua", "doc", "README.md" }) do
    local found = vim.fn.isdirectory(check.plugin .. "/" .. part) == 1
        and vim.fn.globpath(check.plugin .. "/" .. part, "**/*.*", false, true)
      or { check.plugin .. "/" .. part }
    for _, path in ipairs(found) do
      local stat = vim.uv.fs_stat(path)
      if stat.type == "file" and not path:match("/doc/tags$") then
        bytes, files = bytes + stat.size, files + 1
      end
    end
  end
  check.say(("%d bytes in %d files"):format(bytes, files))

  local function connect(how)
    local started = vim.uv.hrtime()
    vim.cmd("Helm check runtime health")
    check.wait("a connection", function()
      return require("open-think.client").connection()
    end)
    check.say(("connected in %.0f ms, %s"):format((vim.uv.hrtime() - started) / 1e6, how))
    check.wait_for_text("*end-turn")
  end
  connect("with a daemon that was started for it")
  vim.uv.kill(require("open-think.client").connection().process.pid, "sigterm")
  check.wait_told("the connection was lost")
  connect("with a daemon that ran")
end)
