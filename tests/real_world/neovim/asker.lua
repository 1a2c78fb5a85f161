-- Neovim's own client: asks Helm, has what is held approved by somebody else, and is interrupted by a third.
--
-- Takes its arguments from the environment: PROGRAM, SESSION, SEEN (the file that gets what it saw as JSON). Stays until
-- it is killed.

local session = vim.env.SESSION
local seen = { events = {} }
local approved = false

local handlers = {
  ["conductor.event"] = function(_, params)
    table.insert(seen.events, params.event.kind)
    if params.event.kind == "tool-result" and params.event.skill == "write-note" then
      approved = true
    end
  end,
}

local id = vim.lsp.start_client({
  name = "asker",
  cmd = { vim.env.PROGRAM, "--stdio" },
  handlers = handlers,
})
local client = vim.lsp.get_client_by_id(id)

local function wait(what, test)
  if not vim.wait(30000, test, 10) then
    error("nothing came of it: " .. what)
  end
end

local function ask(method, params)
  local answered, answer = false, nil
  client.request(method, params, function(fault, result)
    answered, answer = true, fault and { error = fault } or result
  end)
  wait(method, function() return answered end)
  return answer
end

wait("initialize", function() return client.initialized end)
ask("conductor.subscribe", { sessionName = session })

local function say(mode, content)
  return ask("conductor.message", { sessionName = session, mode = mode, content = content })
end

seen.held = say("selective", 'call write-note {"text":"held"}')
wait("an approval", function() return approved end)
seen.cancelled = say("auto", "call take-a-nap {}")

local file = assert(io.open(vim.env.SEEN .. ".new", "w"))
file:write(vim.fn.json_encode(seen))
file:close()
assert(os.rename(vim.env.SEEN .. ".new", vim.env.SEEN))
