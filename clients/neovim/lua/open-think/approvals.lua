-- Questions of the daemon's about held actions, and the user's decisions.
--
-- A question is answered once: by a decision here, or with an error when somebody else has decided or it is too late.
-- What nobody has decided in time stays held, and can be decided later.

local client = require("open-think.client")
local config = require("open-think.config")
local errors = require("open-think.errors")
local held = require("open-think.held")
local sessions = require("open-think.sessions")

local M = {}

--- By their ids: { params, respond, presented }.
local questions = {}

--- Its session, if that has a buffer. It may have got another one since it was asked.
local function session_of(question)
  return sessions.find(question.params.sessionName)
end

local function mark(question, state)
  local session = session_of(question)
  for _, action in ipairs(session and question.params.actions or {}) do
    held.set(session.actions[action.id], state)
  end
  if session then
    session:redraw()
  end
end

--- How long events may take that say the same as a question.
local EVENTS_MS = 2000

local UNDECIDED = { code = errors.REQUEST_FAILED, message = "nobody decided" }

local function names(actions)
  return table.concat(vim.tbl_map(function(action)
    return action.skill
  end, actions), ", ")
end

--- What does not fit into the window is shown from its beginning; else the window goes on following.
local function show(question, session)
  local window = session.buffer:show(false)
  local first = session.actions[question.params.actions[1].id]
  local row = held.row(first)
  if not window or not row or window == vim.api.nvim_get_current_win() then
    return
  end
  local below = vim.api.nvim_buf_line_count(first.buffer) - row
  local from_cursor = vim.api.nvim_win_get_cursor(window)[1] - 1 - row
  if from_cursor < 0 or below > vim.api.nvim_win_get_height(window) then
    vim.api.nvim_win_set_cursor(window, { row + 1, 0 })
  end
end

local function answer(question, decision)
  if questions[question.params.approvalId] ~= question then
    return errors.notify("this was decided already")
  end
  questions[question.params.approvalId] = nil
  question.respond(nil, { decision = decision })
  mark(question, decision == "approve" and "approved" or "denied")
end

local function select(question)
  local actions = question.params.actions
  local prompt = #actions == 1 and ("Helm wants to run %s"):format(names(actions))
    or ("Helm wants to run %d skills: %s"):format(#actions, names(actions))
  vim.ui.select({ "approve", "deny", "decide later" }, { prompt = prompt }, function(choice)
    if choice == "approve" or choice == "deny" then
      answer(question, choice)
    end
  end)
end

--- A question in the middle of typing would take the keys.
local function when_idle(act)
  if vim.api.nvim_get_mode().mode:sub(1, 1) == "n" then
    return vim.schedule(act)
  end
  vim.api.nvim_create_autocmd("ModeChanged", { pattern = "*:n", once = true, callback = vim.schedule_wrap(act) })
end

--- The daemon asks. The events that led to it may still be on their way; the question follows them.
function M.ask(params, respond)
  local session = type(params.sessionName) == "string" and sessions.get(params.sessionName)
  if not session or type(params.actions) ~= "table" or #params.actions == 0 then
    return respond(UNDECIDED)
  end
  local question = { params = params, respond = respond }
  questions[params.approvalId] = question
  session:attach(function(fault)
    if fault or session.gone then
      questions[params.approvalId] = nil
      return respond(UNDECIDED)
    end
    M.look(session)
  end)
  vim.defer_fn(function()
    if questions[params.approvalId] == question and not question.presented and not session.gone then
      session:hold(params.actions)
    end
  end, EVENTS_MS)
end

--- Presents what was asked in a session, as soon as the actions are in its buffer.
function M.look(session)
  for _, question in pairs(questions) do
    local is_shown = session_of(question) == session and not question.presented
    for _, action in ipairs(question.params.actions) do
      is_shown = is_shown and session.actions[action.id] ~= nil
    end
    if is_shown then
      question.presented = true
      M.present(question, session)
    end
  end
end

--- Shows what is asked, and how to decide.
function M.present(question, session)
  local id = question.params.approvalId
  show(question, session)
  if config.get().approvals == "buffer" then
    local one = #question.params.actions == 1
    local what = one and "asks for leave to run " or "asks for leave, for all of these together: "
    return errors.notify(("Helm %s%s. :HelmApprove or :HelmDeny, or the keys in its buffer."):format(what, names(question.params.actions)), vim.log.levels.WARN)
  end
  when_idle(function()
    if questions[id] == question then
      select(question)
    end
  end)
end

--- Somebody else has decided, or it is too late.
function M.resolved(params)
  local question = questions[params.approvalId]
  if not question then
    return
  end
  questions[params.approvalId] = nil
  question.respond(UNDECIDED)
  local state = ({ approve = "approved", deny = "denied" })[params.decision]
  if state then
    mark(question, state)
  end
end

function M.forget_all()
  questions = {}
end

local function question_of(action)
  for _, question in pairs(questions) do
    for _, each in ipairs(question.params.actions) do
      if each.id == action.id then
        return question
      end
    end
  end
end

--- Decides an action: by answering the question that it is part of, if there is one, or by itself.
function M.decide(session, action, decision)
  local question = question_of(action)
  if question then
    return answer(question, decision)
  end
  held.set(action, decision == "approve" and "approved" or "denied")
  session:redraw()
  session:approve({ action.id }, decision, function(fault)
    if fault then
      held.set(action, fault.code == "E_BAD_REQUEST" and "refused" or "waiting")
      session:redraw()
      errors.tell(fault)
    end
  end)
end

function M.decide_at_cursor(session, decision)
  local action = held.at(session.actions, vim.api.nvim_win_get_cursor(0)[1] - 1)
  if not action then
    local waiting = held.waiting(session.actions)
    if #waiting ~= 1 then
      return errors.notify(#waiting == 0 and "nothing waits for a decision" or "put the cursor on what you mean")
    end
    action = waiting[1]
  end
  M.decide(session, action, decision)
end

--- By its id, or the only one. What was not on the screen is shown first: nobody approves what they have not seen.
function M.decide_named(session, id, decision)
  session:attach(function(fault)
    if fault then
      return errors.tell(fault)
    end
    local waiting = held.waiting(session.actions)
    local action = id and session.actions[id] or waiting[1]
    if not action or action.state ~= "waiting" then
      return errors.notify(id and "there is no such action that waits" or "nothing waits for a decision")
    end
    if decision == "approve" and not session.buffer:window() then
      session.buffer:show(false)
      return errors.notify("here is what it would do; :HelmApprove again to approve it")
    end
    local question = question_of(action)
    local together = question and #question.params.actions or 1
    if not id and #waiting > together then
      return errors.notify(("%d actions wait; name one, or use the keys in the buffer"):format(#waiting))
    end
    M.decide(session, action, decision)
  end)
end

return M
