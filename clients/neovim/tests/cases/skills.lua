-- Skills that this Neovim offers, called by Helm and by other clients.

local check = require("check")
local test = check.test

local function invoke(skill, input, more)
  local params = vim.tbl_extend("force", { skill = skill, input = input or vim.empty_dict() }, more or {})
  local fault, result = check.request("skills.invoke", params)
  return fault, result and result.data
end

test("a handler gives its output, raises, or answers later", function()
  check.setup({ editor_skills = false })
  local open_think = require("open-think")
  local heard
  open_think.register_skill({
    id = "neovim-give",
    description = "Gives the name back.",
    input_schema = { type = "object", properties = { name = { type = "string" } }, required = { "name" } },
    dangerous = false,
    handler = function(input)
      heard = input
      return { given = input.name, list = {} }
    end,
  })
  open_think.register_skill({
    id = "neovim-raise",
    description = "Fails.",
    dangerous = false,
    handler = function()
      error("no luck today")
    end,
  })
  open_think.register_skill({
    id = "neovim-later",
    description = "Takes its time.",
    dangerous = false,
    handler = function(_, done, context)
      vim.defer_fn(function()
        done({ session = context.session_name })
      end, 20)
    end,
  })
  check.connect(3)
  local _, given = invoke("neovim-give", { name = "quince" })
  check.equal({ given, heard }, { { given = "quince", list = {} }, { name = "quince" } })
  local fault = invoke("neovim-give", {})
  check.equal(fault.code, "E_BAD_REQUEST")
  local raised = invoke("neovim-raise")
  check.has(raised.message, "no luck today")
  local _, later = invoke("neovim-later")
  check.equal(type(later), "table")

  vim.cmd("HelmMode auto")
  vim.cmd('Helm call neovim-give {"name":"medlar"}')
  check.wait_for_text("*end-turn")
  check.has(check.text(), "- ✓ `neovim-give`")
  check.equal(heard, { name = "medlar" })
  vim.cmd("Helm call neovim-raise {}")
  check.wait_for_text("- ✗ `neovim-raise`")
  check.has(check.text(), "no luck today")

  open_think.unregister_skill("neovim-give")
  check.wait("it is gone", function()
    return select(1, invoke("neovim-give", { name = "quince" })) ~= nil
  end)
end)

test("a dangerous one is held, as any other", function()
  check.setup({ editor_skills = false })
  local ran = 0
  require("open-think").register_skill({
    id = "neovim-danger",
    description = "Is dangerous, because nothing else was said.",
    handler = function()
      ran = ran + 1
      return true
    end,
  })
  check.connect(1)
  check.equal(invoke("neovim-danger").code, "E_APPROVAL_REQUIRED")
  vim.cmd("Helm call neovim-danger {}")
  check.wait_for_text("### neovim-danger")
  check.equal(ran, 0)
  check.press("a", "### neovim-danger")
  check.wait_for_text("*end-turn")
  check.equal(ran, 1)
end)

test("a handler that is called off hears of it", function()
  check.setup({ editor_skills = false })
  local context
  require("open-think").register_skill({
    id = "neovim-never",
    description = "Does not answer.",
    dangerous = false,
    handler = function(_, _, told)
      context = told
    end,
  })
  check.connect(1)
  vim.cmd("HelmMode auto")
  vim.cmd("Helm call neovim-never {}")
  check.wait("the call", function()
    return context
  end)
  vim.cmd("HelmInterrupt")
  check.wait_for_text("*cancelled")
  check.wait("the end of the call", function()
    return context.cancelled
  end)
end)

test("skills are there again after the daemon, or the connection, was lost", function()
  vim.cmd.edit("fruit.txt")
  check.connect(4)
  local function works()
    local fault = invoke("editor-read-selection")
    return fault == nil
  end
  assert(works())
  local _, status = check.request("daemon.status")
  vim.uv.kill(status.pid, "sigkill")
  check.wait("the skill, in another daemon", works)
  vim.uv.kill(require("open-think.client").connection().process.pid, "sigkill")
  check.wait_told("the connection was lost")
  check.wait("the skill, over another connection", works)
end)

test("Helm opens a file, and reads the selection and the diagnostics", function()
  vim.fn.writefile({ "one", "two", "three" }, "fruit.txt")
  check.connect(4)
  local _, opened = invoke("editor-open-file", { path = "fruit.txt", line = 2 })
  check.equal(opened, { path = "fruit.txt", line = 2 })
  check.equal({ vim.fn.expand("%:t"), vim.fn.line(".") }, { "fruit.txt", 2 })
  vim.bo.filetype = "text"
  vim.cmd("normal! ggvjl\27")
  local _, selection = invoke("editor-read-selection")
  check.equal(selection, { path = "fruit.txt", languageId = "text", text = "one\ntw", startLine = 1, endLine = 2 })
  vim.cmd("Helm")
  _, selection = invoke("editor-read-selection")
  check.equal(selection.text, "one\ntw")

  local namespace = vim.api.nvim_create_namespace("a linter")
  local buffer = vim.fn.bufnr("fruit.txt")
  vim.diagnostic.set(namespace, buffer, {
    { lnum = 2, col = 0, message = "ripe", severity = vim.diagnostic.severity.HINT },
    { lnum = 1, col = 0, message = "rotten", severity = vim.diagnostic.severity.ERROR, source = "linter" },
  })
  local rotten = { path = "fruit.txt", line = 2, severity = "error", message = "rotten", source = "linter" }
  local ripe = { path = "fruit.txt", line = 3, severity = "hint", message = "ripe" }
  local _, found = invoke("editor-list-diagnostics")
  check.equal(found, { diagnostics = { rotten, ripe } })
  _, found = invoke("editor-list-diagnostics", { path = "fruit.txt" })
  check.equal(#found.diagnostics, 2)

  vim.fn.mkdir(check.home .. "/inside")
  vim.cmd.cd(check.home .. "/inside")
  check.has(invoke("editor-open-file", { path = "../written.jsonl" }).message, "there is no file")
  check.has(invoke("editor-open-file", { path = "../.config/open-think/config.toml" }).message, "outside")
end)

test("an edit is applied once it was approved, and can be undone", function()
  vim.ui.input = function() end
  vim.fn.writefile({ "one", "two", "two words", "three" }, "fruit.txt")
  vim.cmd.edit("fruit.txt")
  local buffer = vim.api.nvim_get_current_buf()
  check.connect(4)
  local edit = { path = "fruit.txt", oldText = "two words\nthree", newText = "2 words\r\n3" }
  vim.cmd("Helm call editor-apply-edit " .. vim.json.encode(edit))
  check.wait_for_text("### editor-apply-edit")
  check.has(check.text(), "newText:\n```\n2 words\n3\n```\noldText:\n```\ntwo words\nthree\n```\npath: `fruit.txt`")
  check.press("a", "### editor-apply-edit")
  check.wait_for_text("*end-turn")
  check.equal(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), { "one", "two", "2 words", "3" })
  check.equal(vim.fn.readfile("fruit.txt"), { "one", "two", "2 words", "3" })
  vim.api.nvim_buf_call(buffer, function()
    vim.cmd("silent undo")
  end)
  check.equal(vim.api.nvim_buf_get_lines(buffer, 2, -1, false), { "two words", "three" })
  local again = invoke("editor-apply-edit", { path = "fruit.txt", oldText = "two", newText = "2" }, { confirm = true })
  check.has(again.message, "more than once")
  local gone = invoke("editor-apply-edit", { path = "fruit.txt", oldText = "four", newText = "4" }, { confirm = true })
  check.has(gone.message, "not in the file")
  local _, done = invoke(
    "editor-apply-edit",
    { path = "fruit.txt", oldText = "three\n", newText = "3\n" },
    { confirm = true }
  )
  -- After the undo there were changes to save.
  check.equal(done, { path = "fruit.txt", line = 4, saved = false })
  check.equal(vim.api.nvim_buf_get_lines(buffer, 3, -1, false), { "3" })
end)

test("a skill is invoked by a command", function()
  vim.cmd('HelmSkill read-note {"name":"quince"}')
  check.wait("the output", function()
    return vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == "# read-note"
  end)
  check.equal(vim.api.nvim_buf_get_lines(0, 2, -1, false), { "name: `quince`" })
  check.wait("the completion", function()
    return vim.deep_equal(vim.fn.getcompletion("HelmSkill read-", "cmdline"), { "read-note" })
  end)
  local asked
  vim.ui.select = function(_, options, answer)
    asked = options.prompt
    answer("run it")
  end
  vim.cmd('HelmSkill write-note {"text":"sloe"}')
  check.wait("the note", function()
    return #check.notes() == 1
  end)
  check.equal(asked, 'write-note is dangerous. Run it with {"text":"sloe"}?')
  vim.cmd('HelmSkill! write-note {"text":"sloe"}')
  check.wait("another note", function()
    return #check.notes() == 2
  end)
  vim.cmd("HelmSkill read-note [")
  check.wait_told("must be JSON")
end)

test("a skill that is not as it should be is refused with a reason", function()
  local function refuse(skill, why)
    local fine, fault = pcall(require("open-think").register_skill, skill)
    check.equal(fine, false)
    check.has(fault, why)
  end
  refuse({ id = "x", description = "x" }, "`handler` of a skill must be a function")
  refuse({ id = "x", description = "x", handler = print, hazardous = true }, "a skill has no `hazardous`")
end)
