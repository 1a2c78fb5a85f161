-- :checkhealth open-think

local M = {}

local PATIENCE_MS = 5000

--- The result of a method, or nothing and why; this is the one place that waits.
local function ask(method)
  local fault, result, heard
  require("open-think.client").request(method, nil, function(failed, got)
    fault, result, heard = failed, got, true
  end)
  vim.wait(PATIENCE_MS, function()
    return heard
  end, 10)
  if not heard then
    return nil, { message = ("%s was not answered within %d s"):format(method, PATIENCE_MS / 1000) }
  end
  return result, fault
end

local function check_neovim()
  vim.health.start("Neovim")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.10") == 1 then
    vim.health.ok("Neovim " .. version)
  else
    vim.health.error("Neovim " .. version .. " is too old", { "Install 0.10 or later." })
  end
end

local function check_program(settings)
  vim.health.start("The program")
  local program = settings.command[1]
  if vim.fn.executable(program) == 0 then
    vim.health.error(("there is no program `%s`"):format(program), {
      "Install open-think, and put it on the path.",
      'Or name it: require("open-think").setup({ command = { "/path/to/open-think", "--stdio" } })',
    })
    return false
  end
  local path = vim.fn.exepath(program)
  local started, process = pcall(vim.system, { program, "--version" }, { text = true, timeout = PATIENCE_MS })
  local done = started and process:wait()
  if done and done.code == 0 then
    vim.health.ok(("%s, %s"):format(vim.trim(done.stdout), path))
  else
    vim.health.warn(("%s does not tell its version"):format(path))
  end
  return true
end

local function check_daemon()
  vim.health.start("The daemon")
  local status, fault = ask("daemon.status")
  if not status then
    vim.health.error(
      "it cannot be reached: " .. fault.message,
      { fault.hint or "Try `open-think doctor` in a terminal." }
    )
    return nil
  end
  vim.health.ok(("version %s, protocol %s, process %d"):format(status.version, status.protocolVersion, status.pid))
  local start_ms = require("open-think.client").start_ms()
  if start_ms then
    vim.health.info(("this Neovim was connected in %d ms"):format(start_ms))
  end
  vim.health.info("its settings: " .. tostring(status.configFile))
  return status
end

local function check_providers(status)
  vim.health.start("Providers")
  local warmth = {}
  for _, row in ipairs(status.providers or {}) do
    warmth[row.id] = row.state
  end
  local list, fault = ask("providers.list")
  if not list then
    return vim.health.error("they could not be listed: " .. fault.message)
  end
  for _, row in ipairs(list.providers) do
    local name = row.default and row.id .. " (default)" or row.id
    if not row.configured then
      vim.health.info(("%s: not configured%s"):format(name, row.hint and ". " .. row.hint or ""))
    elseif row.healthy == false then
      vim.health.warn(("%s: %s"):format(name, row.lastError or "not healthy"), row.hint and { row.hint } or nil)
    else
      vim.health.ok(("%s: configured, %s"):format(name, warmth[row.id] or row.state))
    end
  end
end

local function check_session(settings)
  vim.health.start("Helm")
  local session = require("open-think.sessions").peek()
  local mode = session and session.mode or settings.mode
  vim.health.ok(
    ("mode %s, session %s"):format(mode, session and session.name or require("open-think.config").session())
  )
  local registered = require("open-think.skills").registered()
  if #registered > 0 then
    vim.health.ok("skills offered from here: " .. table.concat(registered, ", "))
  elseif not require("open-think.client").has("skills.register") then
    vim.health.info("the daemon takes no skills from clients; a newer one does")
  end
end

function M.check()
  local settings = require("open-think.config").get()
  check_neovim()
  local status = check_program(settings) and check_daemon()
  if status then
    check_providers(status)
    check_session(settings)
  end
end

return M
