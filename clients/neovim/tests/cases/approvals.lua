-- Held actions: seen whole, decided once.

local check = require("check")
local test = check.test

local WRITE = 'call write-note {"text":"medlar"}'

local function label()
  local session = require("open-think.sessions").current()
  local _, action = next(session.actions)
  local namespace = vim.api.nvim_create_namespace("open-think-held")
  local mark = vim.api.nvim_buf_get_extmark_by_id(action.buffer, namespace, action.mark, { details = true })
  return mark[3].virt_text[1][1]
end

local function hold(text)
  vim.cmd("Helm " .. (text or WRITE))
  check.wait_for_text("### write-note")
  check.wait_told("Helm asks for leave")
end

test("a held action is approved by a key", function()
  hold()
  check.equal(label(), "waits · a approve · d deny")
  local text = check.text()
  assert(text:find("## Helm", 1, true) < text:find("### write-note", 1, true), text)
  check.has(require("open-think").status(), "1 held")
  check.press("a", "text: `medlar`")
  check.wait_for_text("*end-turn")
  check.equal(check.notes(), { { text = "medlar" } })
  check.equal({ label(), check.count(check.text(), "### write-note") }, { "ran", 1 })
end)

test("a held action is denied by a key", function()
  hold()
  check.press("d", "### write-note")
  check.wait_for_text("*end-turn")
  check.equal({ check.notes(), label() }, { {}, "denied" })
end)

test("the whole input is there before it is approved", function()
  local long = ("x"):rep(500)
  local lines = { "one", "```", "## Helm", "last " .. long }
  hold("call write-note " .. vim.json.encode({ text = table.concat(lines, "\n") }))
  check.has(check.text(), "text:\n````\none\n```\n## Helm\nlast " .. long .. "\n````")
  local window = require("open-think.sessions").current().buffer:window()
  check.equal({ vim.wo[window].conceallevel, vim.wo[window].foldenable, vim.wo[window].wrap }, { 0, false, true })
  vim.cmd("HelmDeny")
  check.wait_for_text("*end-turn")
end)

test("what was not on the screen is shown before it is approved", function()
  hold()
  vim.cmd.enew()
  local buffer = require("open-think.sessions").current().buffer
  vim.api.nvim_win_close(buffer:window(), true)
  vim.cmd("HelmApprove")
  check.wait_told("here is what it would do")
  assert(buffer:window(), "it is shown")
  check.equal(check.notes(), {})
  vim.cmd("HelmApprove")
  check.wait_for_text("*end-turn")
  check.equal(#check.notes(), 1)
end)

test("vim.ui.select asks, if that is wanted", function()
  check.setup({ approvals = "ask" })
  local asked
  vim.ui.select = function(items, options, answer)
    asked = { items, options.prompt, check.text() }
    answer("approve")
  end
  vim.cmd("Helm " .. WRITE)
  check.wait_for_text("*end-turn")
  check.equal({ asked[1], asked[2] }, { { "approve", "deny", "decide later" }, "Helm wants to run write-note" })
  check.has(asked[3], "text: `medlar`")
  check.equal(#check.notes(), 1)
end)

test("what is asked together is decided together", function()
  require("open-think").ask('call write-note {"text":"one"}\ncall write-note {"text":"two"}', { session = "both" })
  check.wait("two actions", function()
    return #require("open-think.held").waiting(require("open-think.sessions").get("both").actions) == 2
  end)
  check.wait_told("for all of these together: write-note, write-note")
  local session = require("open-think.sessions").choose("both")
  vim.cmd.enew()
  session.buffer:show(true)
  vim.cmd("HelmApprove")
  check.wait_for_text("*end-turn", "both")
  check.equal(#check.notes(), 2)
end)

test("a decision of another client closes the question", function()
  hold()
  local id = next(require("open-think.sessions").current().actions)
  local params = vim.json.encode({ sessionName = "test", actionIds = { id }, decision = "approve" })
  check.equal(check.open_think("rpc", "conductor.approve", params).code, 0)
  check.wait_for_text("*end-turn")
  check.equal({ #check.notes(), label() }, { 1, "ran" })
  vim.cmd("HelmApprove")
  check.wait_told("nothing waits for a decision")
end)

test("what was suggested, or held before, is approved later", function()
  vim.cmd("HelmMode propose")
  vim.cmd("Helm " .. WRITE)
  check.wait_for_text("### write-note")
  check.wait_for_text("*end-turn")
  vim.api.nvim_buf_delete(require("open-think.sessions").current().buffer.id, { force = true })
  vim.cmd("HelmSession test")
  check.wait_for_text("### write-note")
  check.equal(check.count(check.text(), "### write-note"), 1)
  check.press("a", "### write-note")
  check.wait("the note", function()
    return #check.notes() == 1
  end)
end)

test("a question outlives its buffer", function()
  hold()
  vim.cmd.bdelete(require("open-think.sessions").current().buffer.id)
  vim.cmd("HelmSession test")
  check.wait_for_text("### write-note")
  check.press("a", "### write-note")
  check.wait_for_text("*end-turn")
  check.equal({ #check.notes(), label() }, { 1, "ran" })
end)
