-- What cannot be sent as it is, files that Helm shall not touch, and turns of others that are in the way.

local check = require("check")
local test = check.test

local MIB = 1024 * 1024

local function invoke(skill, input)
  local params = { skill = skill, input = input or vim.empty_dict(), confirm = true }
  local fault, result = check.request("skills.invoke", params)
  return fault, result and result.data
end

local function edit(path, old, new)
  return invoke("editor-apply-edit", { path = path, oldText = old, newText = new })
end

test("what is no UTF-8 is sent with signs in its place", function()
  local result
  local text = "a\255b\192\128 ä中𝄞 \237\160\128 \228\184"
  require("open-think").ask(text, {}, function(fault, got)
    result = fault or got
  end)
  check.wait("the turn", function()
    return result
  end)
  local _, got = check.request("sessions.messages", { sessionName = "test" })
  check.equal(got.messages[1].content, "a�b�� ä中𝄞 ��� ��")
  require("open-think").register_skill({
    id = "neovim-bytes",
    description = "Gives bytes.",
    dangerous = false,
    handler = function(input)
      assert(not input.fail, "bad \255 luck")
      return "good \255 luck"
    end,
  })
  check.connect(5)
  check.equal(select(2, invoke("neovim-bytes")), "good � luck")
  check.has(invoke("neovim-bytes", { fail = true }).message, "bad � luck")
end)

test("what is too long is refused, and the rest goes on", function()
  local fault
  require("open-think").ask(("x"):rep(17 * MIB), {}, function(failed)
    fault = failed
  end)
  check.wait("the refusal", function()
    return fault
  end)
  check.equal(fault.code, "E_FRAME_TOO_LONG")
  check.wait_for_text("and may have 16777216 (E_FRAME_TOO_LONG)")
  require("open-think").register_skill({
    id = "neovim-much",
    description = "Gives too much.",
    dangerous = false,
    handler = function(input)
      local much = ("y"):rep(20 * MIB)
      return input.fail and error(much) or much
    end,
  })
  check.connect(5)
  check.has(invoke("neovim-much").message, "and may have 16777216")
  check.has(invoke("neovim-much", { fail = true }).message, "and may have 16777216")
end)

test("a daemon that reads less refuses what was too long", function()
  check.configure("[limits]\nframe_bytes = 65536\n")
  check.connect(4)
  local fault = check.request("sessions.get", { sessionName = ("x"):rep(100000) })
  assert(fault and fault.code ~= "E_CONNECTION_LOST", vim.inspect(fault))
  check.equal(check.request("daemon.status"), nil)
end)

test("files of Git's are left alone unless the user has them open", function()
  vim.fn.mkdir(".git/hooks", "p")
  vim.fn.writefile({ "one" }, ".git/hooks/pre-commit")
  vim.fn.writefile({ "one" }, ".git/COMMIT_EDITMSG")
  vim.uv.fs_symlink(".git/hooks", "hooks")
  vim.cmd.edit(".git/COMMIT_EDITMSG")
  check.connect(4)
  for _, path in ipairs({ ".git/hooks/pre-commit", "hooks/pre-commit", "a/../.git/hooks/pre-commit" }) do
    check.has(edit(path, "one", "two").message, "is a file of Git's")
    check.has(invoke("editor-open-file", { path = path }).message, "is a file of Git's")
  end
  check.equal(vim.fn.readfile(".git/hooks/pre-commit"), { "one" })
  check.equal(edit(".git/COMMIT_EDITMSG", "one", "two"), nil)
end)

test("a file that changed on disk is read again, or left alone", function()
  vim.fn.writefile({ "one" }, "fruit.txt")
  vim.cmd.edit("fruit.txt")
  check.connect(4)
  local function change(lines)
    vim.fn.writefile(lines, "fruit.txt")
    local later = os.time() + 60
    vim.uv.fs_utime("fruit.txt", later, later)
  end
  change({ "one", "more" })
  check.equal(select(2, edit("fruit.txt", "one", "two")), { path = "fruit.txt", line = 1, saved = true })
  check.equal(vim.fn.readfile("fruit.txt"), { "two", "more" })
  vim.api.nvim_buf_set_lines(0, 1, 2, false, { "mine" })
  change({ "two", "yours too" })
  check.has(edit("fruit.txt", "two", "three").message, "has changed on disk")
  check.equal(vim.fn.readfile("fruit.txt"), { "two", "yours too" })
end)

test("a file that another Neovim has open is shown, and not changed", function()
  vim.o.swapfile, vim.o.updatecount, vim.o.directory = true, 200, "."
  vim.fn.writefile({ "one" }, "fruit.txt")
  local command = { check.neovim, "--headless", "-u", "NONE", "-i", "NONE", "--cmd", "set directory=.", "fruit.txt" }
  local other = vim.system(command, { cwd = check.home })
  check.connect(4)
  check.wait("the swap file", function()
    return vim.uv.fs_stat(".fruit.txt.swp")
  end)
  check.equal(invoke("editor-open-file", { path = "fruit.txt" }), nil)
  check.has(edit("fruit.txt", "one", "two").message, "cannot be changed here")
  check.equal(vim.fn.readfile("fruit.txt"), { "one" })
  other:kill("sigkill")
  other:wait()
end)

test("what waits behind another's turn is taken back, and that goes on", function()
  check.request("daemon.status")
  local other = vim.system({ check.program, "ask", "--session", "test", "--mode", "auto", "call take-a-nap {}" })
  local function naps()
    local _, status = check.request("daemon.status")
    return #status.runningTurns == 1
  end
  check.wait("the nap", naps)
  local fault
  require("open-think").ask("check runtime health", {}, function(failed)
    fault = failed
  end)
  check.wait_for_text("- → `take-a-nap`")
  check.wait("it is asked", function()
    return require("open-think.sessions").current().asks:last()
  end)
  vim.cmd("HelmInterrupt")
  check.wait("it is taken back", function()
    return fault
  end)
  check.equal(fault.number, -32800)
  assert(naps(), "the nap is over")
  vim.cmd("HelmInterrupt")
  check.wait_for_text("*cancelled")
  other:wait()
end)
