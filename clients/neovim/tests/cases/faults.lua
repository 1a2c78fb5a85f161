-- What happens when something is missing, wrong, or goes away.

local check = require("check")
local test = check.test

local READ = 'call read-note {"name":"quince"}'

test("a program that is missing is told with a way out, and found once it is there", function()
  local program = check.home .. "/open-think"
  check.setup({ command = { program, "--stdio" } })
  vim.cmd("Helm " .. READ)
  local told = check.wait_told("there is no program `" .. program .. "`")
  check.has(told, 'require("open-think").setup({ command = … })')
  check.equal(#check.told, 1)
  assert(vim.uv.fs_symlink(vim.fn.exepath(check.program), program))
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
end)

test("a program that is another one is told, with what it complained of", function()
  check.setup({ command = { "/bin/sh", "-c", "echo 'no such thing here' >&2; exit 3" } })
  vim.cmd("Helm " .. READ)
  check.has(check.wait_told("could not be reached"), "no such thing here")
  check.setup({ command = { "/bin/sleep", "60" }, start_timeout_ms = 50 })
  vim.cmd("Helm " .. READ)
  check.wait_told("`/bin/sleep` did not answer")
end)

test("a daemon that is lost in a turn comes back, and nothing is shown twice", function()
  vim.cmd("HelmMode auto")
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
  vim.cmd("Helm call take-a-nap {}")
  check.wait_for_text("- → `take-a-nap`")
  local _, status = check.request("daemon.status")
  vim.uv.kill(status.pid, "sigkill")
  check.wait_for_text("**Error**")
  vim.cmd('Helm call read-note {"name":"medlar"}')
  check.wait_for_text("- name: medlar")
  check.wait("the end", function()
    return require("open-think.sessions").current().running == nil
  end)
  -- What was shown before may be read again.
  check.wait("all of it, once", function()
    local text = check.text()
    return check.count(text, "- name: quince") == 1 and check.count(text, "- name: medlar") == 1
  end)
  local _, after = check.request("daemon.status")
  assert(after.pid ~= status.pid)
end)

test("a connection that is lost is told once, and the next :Helm makes it again", function()
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
  vim.uv.kill(require("open-think.client").connection().process.pid, "sigkill")
  check.has(check.wait_told("the connection was lost"), "The next :Helm starts it again")
  check.equal(#check.told, 1)
  check.has(require("open-think").status(), "off")
  local params = vim.json.encode({ content = 'call read-note {"name":"sloe"}', sessionName = "test", mode = "auto" })
  check.equal(check.open_think("rpc", "conductor.message", params).code, 0)
  vim.cmd('Helm call read-note {"name":"medlar"}')
  check.wait_for_text("- name: medlar")
  check.wait("all ends", function()
    return check.count(check.text(), "*end-turn") == 3
  end)
  local text = check.text()
  for _, name in ipairs({ "quince", "sloe", "medlar" }) do
    check.equal(check.count(text, "- name: " .. name), 1)
  end
end)

test("an error is shown with its hint", function()
  vim.cmd("HelmProvider nobody")
  vim.cmd("Helm " .. READ)
  check.wait_for_text("**Error**")
  check.has(check.text(), READ .. "\n\n**Error** there is no provider 'nobody' (E_NO_PROVIDER)\nThe providers are")
end)

test("settings that are not as they should be are refused with a reason", function()
  local function refuse(settings, why)
    local fine, fault = pcall(require("open-think").setup, settings)
    check.equal(fine, false)
    check.has(fault, why)
  end
  refuse({ command = "open-think" }, "`command` must be a list of words")
  refuse({ mode = "careful" }, "`mode` must be one of propose, selective, auto")
  refuse({ provder = "offline" }, "there is no setting `provder`; there are approvals, command")
  refuse({ keys = { aprove = "a" } }, "`keys` has no `aprove`; there are approve, ask, close")
  refuse("selective", "setup takes a table")
end)
