-- A daemon of a later version: what is new is shown dimly or passed over.

local check = require("check")

local function setup()
  if vim.fn.executable("python3") == 0 then
    check.skip("there is no python3 for the daemon of a later version")
  end
  check.setup({ command = { "python3", check.plugin .. "/tests/newer_daemon.py" } })
end

check.test("events, members and values that are not known harm nothing", function()
  setup()
  vim.cmd("Helm what is new?")
  check.wait_for_text("answered -32601")
  local text = check.text()
  check.has(text, "## You\n\nwhat is new?\n\n## Helm\n")
  check.has(text, "- · thought-balloon")
  check.has(text, "before behind\n")
  check.has(text, "\nbeside\n")
  check.has(text, "- · text-delta (this version does not understand it)")
  check.has(text, "### new-skill")
  check.has(text, "- newer failed: tired")
  check.has(text, "*sunset · $0.5000*")
  check.equal(check.told, {})
  check.equal(check.count(text, "## You"), 1)
  check.equal(vim.fn.getcompletion("HelmMode ", "cmdline"), { "propose", "dream" })
end)

check.test("every answer reaches its callback", function()
  setup()
  local faults = {}
  local function ask(text)
    require("open-think").ask(text, {}, function(fault)
      table.insert(faults, { fault.code, fault.number, fault.message })
    end)
  end
  ask("give up")
  ask("err oddly")
  check.wait("both", function()
    return #faults == 2
  end)
  check.equal(faults[1], { "E_UNKNOWN", -32800, "cancelled" })
  check.equal(faults[2], { "E_UNKNOWN", 0, "the daemon did not say what is wrong" })
end)

check.test("a fast stream leaves the editor its turns", function()
  setup()
  local last, ticks, worst = vim.uv.hrtime(), 0, 0
  local timer = assert(vim.uv.new_timer())
  timer:start(0, 1, vim.schedule_wrap(function()
    local now = vim.uv.hrtime()
    last, ticks, worst = now, ticks + 1, math.max(worst, (now - last) / 1e6)
  end))
  vim.cmd("Helm talk fast")
  check.wait_for_text("*end-turn*")
  timer:close()
  check.equal(check.count(check.text(), "word"), 30000)
  check.say(("30000 pieces of text: the editor waited %d ms at most"):format(worst))
  assert(ticks > 20 and worst < 1000, ("%d ticks, %d ms"):format(ticks, worst))
end)
