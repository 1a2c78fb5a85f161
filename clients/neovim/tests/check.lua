-- Tests one after another, each with a home of its own, a plugin freshly loaded, and a daemon that ends with it.

local M = {}

local DEADLINE_MS = 20000
local BASES = { "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME" }
local PROXIES = { "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY" }

M.program = vim.env.OPEN_THINK_BIN or "open-think"
--- This Neovim, for tests that need a second one.
M.neovim = vim.env.OPEN_THINK_NVIM or vim.v.progpath

local CONFIGURATION = [==[
%s
[helm]
approval_timeout_ms = 60000

[http]
discover = false

[[skill]]
id = "read-note"
description = "Gives its input back."
input_schema = { properties = { name = { type = "string" } }, required = ["name"] }
dangerous = false
command = ["/bin/cat"]

[[skill]]
id = "write-note"
description = "Keeps its input in a file."
input_schema = { properties = { text = { type = "string" } }, required = ["text"] }
command = ["/usr/bin/tee", "-a", "%s/written.jsonl"]

[[skill]]
id = "take-a-nap"
description = "Takes a minute."
dangerous = false
command = ["/bin/sleep", "60"]
timeout_ms = 90000
]==]

local tests = {}

function M.test(name, run)
  table.insert(tests, { name = name, run = run })
end

--- Ends a test that cannot be run here.
function M.skip(why)
  error({ skipped = why }, 0)
end

function M.say(text)
  io.stdout:write(text, "\n")
end

--- Goes on as soon as something holds, and fails where it does not come to that.
function M.wait(what, test)
  local got
  local fine = vim.wait(DEADLINE_MS, function()
    got = test()
    return got
  end, 5)
  if not fine then
    error(("nothing came of it: %s\n%s"):format(what, M.everything()), 2)
  end
  return got
end

function M.equal(got, wanted)
  if not vim.deep_equal(got, wanted) then
    error(("got %s\nwanted %s"):format(vim.inspect(got), vim.inspect(wanted)), 2)
  end
end

function M.has(text, part)
  if not text:find(part, 1, true) then
    error(("%q is not in\n%s"):format(part, text), 2)
  end
end

function M.count(text, part)
  return select(2, text:gsub(vim.pesc(part), ""))
end

--- The text of a session's buffer, by default that of `:Helm`.
function M.text(name)
  local sessions = require("open-think.sessions")
  local session = name and sessions.get(name) or sessions.current()
  return table.concat(vim.api.nvim_buf_get_lines(session.buffer.id, 0, -1, false), "\n")
end

function M.wait_for_text(part, name)
  M.wait(part, function()
    return M.text(name):find(part, 1, true)
  end)
end

--- All buffers and all that was told, for whoever reads of a failure.
function M.everything()
  local parts = { "told: " .. vim.inspect(M.told) }
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    parts[#parts + 1] = "--- " .. vim.api.nvim_buf_get_name(buffer)
    vim.list_extend(parts, vim.api.nvim_buf_get_lines(buffer, 0, -1, false))
  end
  return table.concat(parts, "\n")
end

--- What the user was told that has this in it.
function M.wait_told(part)
  return M.wait("told: " .. part, function()
    for _, text in ipairs(M.told) do
      if text:find(part, 1, true) then
        return text
      end
    end
  end)
end

--- Presses a key in the buffer of `:Helm`, on the line that has this text.
function M.press(key, on)
  local session = require("open-think.sessions").current()
  vim.api.nvim_set_current_win(session.buffer:show(true))
  if on then
    vim.api.nvim_win_set_cursor(0, { 1, 0 })
    assert(vim.fn.search("\\V" .. vim.fn.escape(on, "\\"), "cW") > 0, "there is no " .. on)
  end
  vim.api.nvim_feedkeys(vim.keycode(key), "xt", false)
end

--- A request that waits for its answer.
function M.request(method, params)
  local fault, result, heard
  require("open-think").request(method, params, function(failed, got)
    fault, result, heard = failed, got, true
  end)
  M.wait(method, function()
    return heard
  end)
  return fault, result
end

--- Connects, and waits until all skills that are offered were taken.
function M.connect(count)
  M.request("daemon.status")
  M.wait("the skills", function()
    return #require("open-think.skills").registered() == count
  end)
end

function M.notes()
  local file = io.open(M.home .. "/written.jsonl")
  if not file then
    return {}
  end
  local text = file:read("a")
  file:close()
  return vim.tbl_map(vim.json.decode, vim.split(text:gsub("}{", "}\n{"), "\n", { trimempty = true }))
end

--- Writes the configuration, with these settings before its tables.
function M.configure(settings)
  local folder = M.home .. "/.config/open-think"
  vim.fn.mkdir(folder, "p")
  local file = assert(io.open(folder .. "/config.toml", "w"))
  file:write(CONFIGURATION:format(settings, M.home))
  file:close()
end

function M.setup(more)
  local settings = { command = { M.program, "--stdio" }, session = "test" }
  require("open-think").setup(vim.tbl_extend("force", settings, more or {}))
end

function M.open_think(...)
  return vim.system({ M.program, ... }, { text = true }):wait()
end

local function begin()
  M.home =
    vim.uv.fs_realpath(assert(vim.uv.fs_mkdtemp(vim.fs.normalize(vim.env.TMPDIR or "/tmp") .. "/open-think-XXXXXX")))
  vim.env.HOME = M.home
  for _, name in ipairs(BASES) do
    vim.env[name] = nil
  end
  for _, name in ipairs(PROXIES) do
    vim.env[name] = nil
  end
  for name in pairs(vim.fn.environ()) do
    if name:match("^OPEN_THINK_") or name:match("_API_KEY$") then
      vim.env[name] = nil
    end
  end
  M.configure("")
  M.told = {}
  vim.notify = function(text)
    table.insert(M.told, text)
  end
  vim.ui.select = function(_, options)
    error("nobody answers: " .. tostring(options.prompt))
  end
  vim.cmd.cd(M.home)
  vim.cmd("silent! only | enew")
  vim.g.loaded_open_think = nil
  vim.cmd.source(M.plugin .. "/plugin/open-think.lua")
  M.setup()
end

local function finish()
  require("open-think.client").close()
  M.open_think("stop", "--now")
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    pcall(vim.api.nvim_buf_delete, buffer, { force = true })
  end
  for name in pairs(package.loaded) do
    if name:match("^open%-think") then
      package.loaded[name] = nil
    end
  end
  vim.cmd.cd("/")
  vim.fn.delete(M.home, "rf")
end

--- Runs them, says how each went, and gives how many failed.
function M.run(filter)
  local passed, failed, skipped = 0, 0, 0
  for _, test in ipairs(tests) do
    if not filter or test.name:find(filter, 1, true) then
      begin()
      local fine, fault = xpcall(test.run, function(fault)
        return type(fault) == "table" and fault or debug.traceback(tostring(fault))
      end)
      finish()
      if fine then
        passed = passed + 1
        M.say("ok: " .. test.name)
      elseif type(fault) == "table" then
        skipped = skipped + 1
        M.say(("skipped: %s: %s"):format(test.name, fault.skipped))
      else
        failed = failed + 1
        M.say(("FAILED: %s\n%s"):format(test.name, fault))
      end
    end
  end
  M.say(("%s: %d passed, %d failed, %d skipped"):format(tostring(vim.version()), passed, failed, skipped))
  return failed
end

return M
