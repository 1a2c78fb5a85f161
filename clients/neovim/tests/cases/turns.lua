-- Turns against the real daemon.

local check = require("check")
local test = check.test

local READ = 'call read-note {"name":"quince"}'

test("a turn is streamed into the buffer of its session", function()
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn · offline*")
  local text = check.text()
  check.has(text, "## You\n\n" .. READ .. "\n\n## Helm\n")
  check.has(text, '- → `read-note` {"name":"quince"}')
  check.has(text, "- ✓ `read-note`")
  check.has(text, "\nread-note:\n- name: quince\n")
  check.equal(check.told, {})
  local buffer = require("open-think.sessions").current().buffer.id
  check.equal(vim.api.nvim_buf_get_name(buffer), "open-think://test")
  check.equal({ vim.bo[buffer].buftype, vim.bo[buffer].modifiable, vim.bo[buffer].filetype }, { "nofile", false, "markdown" })
  check.has(require("open-think").status(), "Helm · test · selective · offline")
  check.has(vim.wo[vim.fn.bufwinid(buffer)].winbar, "Helm · test · selective")
end)

test("the selected lines go along", function()
  vim.cmd.edit("notes.lua")
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { "local a", "local b = '```'", "local c" })
  vim.bo.filetype = "lua"
  vim.cmd("2,3Helm what is this?")
  check.wait_for_text("*end-turn")
  check.has(check.text(), "what is this?\n\nFrom `notes.lua`, lines 2 to 3:\n\n````lua\nlocal b = '```'\nlocal c\n````\n")
  local _, said = check.request("sessions.messages", { sessionName = "test" })
  check.has(said.messages[1].content, "````lua\nlocal b = '```'\nlocal c\n````")
end)

test("without a text it asks for one, in its buffer", function()
  vim.ui.input = function(options, answer)
    check.equal(options.prompt, "Helm: ")
    answer(READ)
  end
  vim.cmd("Helm")
  check.wait_for_text("*end-turn")
  check.equal(vim.api.nvim_buf_get_name(0), "open-think://test")
  check.has(check.text(), "- name: quince")
end)

test("the cursor at the end stays at the end, and elsewhere stays there", function()
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
  local session = require("open-think.sessions").current()
  local window = session.buffer:window()
  check.equal(vim.api.nvim_win_get_cursor(window)[1], vim.api.nvim_buf_line_count(session.buffer.id))
  vim.api.nvim_win_set_cursor(window, { 3, 0 })
  vim.cmd("Helm " .. READ)
  check.wait("a second turn", function()
    return check.count(check.text(), "*end-turn") == 2
  end)
  check.equal(vim.api.nvim_win_get_cursor(window)[1], 3)
end)

test("what is asked meanwhile waits, and each answer follows its question", function()
  for _, name in ipairs({ "quince", "medlar", "sloe" }) do
    vim.cmd(('Helm call read-note {"name":"%s"}'):format(name))
  end
  check.wait("three turns", function()
    return check.count(check.text(), "*end-turn") == 3
  end)
  local order = {}
  for name in check.text():gmatch("name[\": ]+(%a+)") do
    if name ~= order[#order] then
      table.insert(order, name)
    end
  end
  check.equal(order, { "quince", "medlar", "sloe" })
  check.equal(check.count(check.text(), "## You\n"), 3)
end)

test("a running turn is interrupted by a key", function()
  vim.cmd("HelmMode auto")
  vim.cmd("Helm call take-a-nap {}")
  check.wait_for_text("- → `take-a-nap`")
  check.press("<C-c>")
  check.wait_for_text("*cancelled")
  vim.cmd("HelmInterrupt")
  check.wait_told("nothing runs in test")
end)

test("ask() hears the events and the result", function()
  local kinds, result = {}, nil
  local opts = {
    session = "of a plugin",
    mode = "propose",
    on_event = function(event)
      table.insert(kinds, event.kind)
    end,
  }
  require("open-think").ask('call write-note {"text":"medlar"}', opts, function(fault, got)
    assert(not fault, fault and fault.message)
    result = got
  end)
  check.wait("the result", function()
    return result
  end)
  check.equal(result.mode, "propose")
  check.equal({ kinds[1], kinds[#kinds] }, { "turn-start", "loop-done" })
  check.equal(check.notes(), {})
  check.has(check.text("of a plugin"), "### write-note")
  check.equal(require("open-think.sessions").current().buffer:window(), nil)
end)

test("ask() can be cancelled, and says so", function()
  local fault
  local handle = require("open-think").ask("call take-a-nap {}", { mode = "auto" }, function(failed)
    fault = failed
  end)
  check.wait_for_text("- → `take-a-nap`")
  handle.cancel()
  check.wait("the end", function()
    return fault
  end)
  check.equal({ fault.code, fault.number }, { "E_CANCELLED", -32800 })
end)

test("turns of other clients are shown, with what was said", function()
  vim.cmd("HelmSession shared")
  check.wait("a subscription", function()
    return require("open-think.sessions").get("shared").feed.attached
  end)
  local params = vim.json.encode({ content = READ, sessionName = "shared", mode = "auto" })
  local other = check.open_think("rpc", "conductor.message", params)
  check.equal(other.code, 0)
  check.wait_for_text("*end-turn")
  check.wait_for_text("## You, elsewhere\n\n" .. READ)
  check.equal(check.count(check.text(), "*end-turn"), 1)
end)

test("a session that was used before shows its history once", function()
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
  vim.cmd.bdelete(require("open-think.sessions").current().buffer.id)
  vim.cmd("HelmSession test")
  check.wait_for_text("- name: quince")
  check.equal({ check.count(check.text(), "- name: quince"), check.count(check.text(), "## You") }, { 1, 1 })
  vim.cmd("Helm " .. READ)
  check.wait("a second turn", function()
    return check.count(check.text(), "- name: quince") == 2
  end)
  vim.cmd.edit()
  check.wait("the history", function()
    return check.count(check.text(), "- name: quince") == 2
  end)
  check.equal(vim.api.nvim_buf_get_name(0), "open-think://test")
  vim.cmd.edit("open-think://another")
  check.wait("another session", function()
    return require("open-think.sessions").current().name == "another"
  end)
end)

test("sessions, modes, providers and models are picked", function()
  local picked = {}
  vim.ui.select = function(items, options, answer)
    local format = options.format_item or tostring
    table.insert(picked, { options.prompt, vim.tbl_map(format, items) })
    answer(items[#items])
  end
  vim.cmd("Helm " .. READ)
  check.wait_for_text("*end-turn")
  vim.cmd("HelmMode")
  check.wait_told("mode of test: auto")
  vim.cmd("HelmProvider")
  check.wait_told("provider of test: offline")
  check.has(table.concat(picked[2][2], "\n"), "offline · default")
  vim.cmd("HelmModel")
  check.wait_told("offline names no models")
  vim.cmd("Helm! " .. READ)
  check.wait_for_text("*end-turn")
  assert(require("open-think.sessions").current().name ~= "test")
  vim.cmd("HelmSession")
  check.wait("the list", function()
    return #picked == 3
  end)
  check.equal(picked[3][2][1], "a new session")
  check.has(table.concat(picked[3][2], "\n"), "test · ")
  check.equal(vim.fn.getcompletion("HelmMode se", "cmdline"), { "selective" })
  check.equal(vim.fn.getcompletion("HelmProvider off", "cmdline"), { "offline" })
  assert(vim.list_contains(vim.fn.getcompletion("HelmSession te", "cmdline"), "test"))
  vim.cmd("HelmStatus")
  check.wait_told("default provider offline")
end)
