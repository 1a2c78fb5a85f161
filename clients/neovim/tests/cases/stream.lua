-- A model that streams: a mock server that others wrote, in tests/real_world/node of the repository.
--
-- OPEN_THINK_UPSTREAM names the folder that has upstream.mjs and its packages.

local check = require("check")

local upstream_folder = vim.env.OPEN_THINK_UPSTREAM or check.plugin .. "/../../target/tmp/node"

local function upstream()
  local script = upstream_folder .. "/upstream.mjs"
  if vim.fn.executable("node") == 0 or not vim.uv.fs_stat(upstream_folder .. "/node_modules") then
    check.skip(("there is no Node, or no mock server in %s"):format(upstream_folder))
  end
  local said = ""
  local process = vim.system({ "node", script }, {
    stdin = true,
    stdout = function(_, chunk)
      said = said .. (chunk or "")
    end,
  })
  local url = check.wait("the mock server", function()
    return said:match('"url":"([^"]+)"')
  end)
  check.configure(([[
openai_compatible_url = "%s/v1"
openai_compatible_key = "sk-test"
openai_compatible_default_model = "test-model"
]]):format(url))
  return process
end

check.test("text of a model streams into the buffer piece by piece", function()
  local process = upstream()
  vim.cmd("Helm talk slowly")
  check.wait_for_text("word word")
  local _, first = check.text():gsub("word ", "")
  check.wait("more words", function()
    return select(2, check.text():gsub("word ", "")) > first
  end)
  assert(not check.text():find("*", 1, true), "it is still going on")
  -- The editor is free meanwhile.
  check.has(require("open-think").status(), "openai-compatible")
  check.has(require("open-think").status(), "running")
  check.press("<C-c>")
  check.wait_for_text("*cancelled")

  vim.cmd("Helm say hello")
  check.wait_for_text("*end-turn · openai-compatible/")
  check.has(check.text(), "\nHello from upstream, in several pieces.\n")
  vim.cmd("HelmMode auto")
  vim.cmd("Helm read two notes")
  check.wait("another end", function()
    return check.count(check.text(), "*end-turn") == 2
  end)
  check.has(check.text(), "The skills said: ")
  process:kill("sigterm")
  process:wait()
end)

check.test("models are picked, and one that fails is told", function()
  local process = upstream()
  vim.cmd("Helm be cut short")
  check.wait("the end", function()
    return check.text():find("%*%a[%a-]*[ *]") and not require("open-think.sessions").current().asks:any()
  end)
  local text = check.text()
  assert(text:find("failed:", 1, true) or text:find("**Error**", 1, true), text)
  process:kill("sigterm")
  process:wait()
end)
