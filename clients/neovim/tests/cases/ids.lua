-- Skills whose ids others have too: another Neovim, or the daemon itself.

local check = require("check")
local test = check.test

local function offer(id, output, callback)
  require("open-think").register_skill({
    id = id,
    description = "Says who was asked.",
    dangerous = false,
    handler = function()
      return output
    end,
  }, callback)
end

--- Who answered in a turn of this Neovim.
local function who(id)
  local result
  require("open-think").ask("call " .. id .. " {}", { mode = "auto" }, function(fault, got)
    result = fault or got
  end)
  check.wait("the turn", function()
    return result
  end)
  return result.trace[1].result
end

test("of two Neovims with the same skill, each gets its own", function()
  check.setup({ editor_skills = false })
  offer("neovim-who", "first")
  check.connect(1)
  local script = check.home .. "/second.lua"
  vim.fn.writefile({
    ("vim.opt.runtimepath:prepend(%q)"):format(check.plugin),
    "local open_think = require('open-think')",
    ("open_think.setup({ command = { %q, '--stdio' }, session = 'second' })"):format(check.program),
    "local function handler() return 'second' end",
    "local skill = { id = 'neovim-who', description = 'Says who was asked.', dangerous = false, handler = handler }",
    "open_think.register_skill(skill)",
    "local said",
    "open_think.ask('call neovim-who {}', { mode = 'auto' }, function(fault, result)",
    "  said = fault and fault.message or result.trace[1].result",
    "end)",
    "vim.wait(20000, function() return said end)",
    "io.stdout:write(said)",
    "io.stdout:flush()",
    "io.stdin:read('a')",
  }, script)
  local said = ""
  local second = vim.system({ check.neovim, "--headless", "-u", "NONE", "-i", "NONE", "-l", script }, {
    text = true,
    stdin = true,
    stdout = function(_, text)
      said = said .. (text or "")
    end,
  })
  check.wait("the second", function()
    return said ~= ""
  end)
  local here = who("neovim-who")
  second:write(nil)
  second:wait()
  check.equal({ here, said }, { "first", "second" })
end)

test("an id of the daemon's own is refused, and the others are offered", function()
  check.setup({ editor_skills = false })
  offer("neovim-one", "one")
  offer("neovim-two", "two")
  check.connect(2)
  local refused
  offer("read-note", "not this", function(fault)
    refused = fault
  end)
  check.wait("the answer", function()
    return refused
  end)
  check.equal(refused.code, "E_BAD_REQUEST")
  require("open-think").unregister_skill("read-note")

  vim.uv.kill(require("open-think.client").connection().process.pid, "sigkill")
  check.wait_told("the connection was lost")
  check.configure(table.concat({
    "[[skill]]",
    'id = "neovim-one"',
    'description = "Came meanwhile."',
    "dangerous = false",
    'command = ["/bin/echo", "the daemon"]',
  }, "\n"))
  check.equal(check.open_think("stop", "--now").code, 0)
  check.connect(1)
  check.has(check.wait_told("Helm does not get neovim-one"), "is the id of a skill of")
  check.equal(#check.told, 2)
  check.equal(who("neovim-two"), "two")
end)
