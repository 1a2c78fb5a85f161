-- What the keys of a session's buffer do, by the names that the setting `keys` has for them.

local M = {}

function M.of(session)
  local function decide(decision)
    return function()
      require("open-think.approvals").decide_at_cursor(session, decision)
    end
  end
  return {
    ask = function()
      require("open-think.commands").prompt(session)
    end,
    close = function()
      -- The last window stays.
      pcall(vim.cmd.close)
    end,
    interrupt = function()
      session:interrupt()
    end,
    approve = decide("approve"),
    deny = decide("deny"),
  }
end

return M
