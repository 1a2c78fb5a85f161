-- Runs the tests: nvim --headless -u NONE -i NONE -l tests/run.lua [NAME]
--
-- OPEN_THINK_BIN names the program. With NAME only the tests whose names have it.

local folder = debug.getinfo(1, "S").source:sub(2):match("^(.*)/[^/]*$")
local plugin = vim.fs.normalize(vim.uv.fs_realpath(folder .. "/.."))
vim.opt.runtimepath:prepend(plugin)
package.path = folder .. "/?.lua;" .. package.path

local check = require("check")
check.plugin = plugin

for _, file in ipairs({ "turns", "approvals", "skills", "ids", "faults", "odd", "newer", "editor", "stream", "package" }) do
  dofile(folder .. "/cases/" .. file .. ".lua")
end

local failed = check.run(_G.arg[1])
io.stdout:flush()
os.exit(failed == 0 and 0 or 1)
