//! Does what a turn's decisions ask for: calls the model, runs skills, writes down what came of it.
//!
//! The order of writing is what survives a crash: an answer with calls is on disk before the first of them runs, an
//! approval before what it allows, and everything before the client hears of the end.

use futures_util::StreamExt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use super::approval::{ApprovalRequest, Board, Decided, Decision};
use super::attempts::{Called, Caller};
use super::conductor::{Shared, action_of};
use super::id::{millis, new_id, now_ms};
use super::request::{Halted, StopReason, TraceEntry, TurnResult};
use super::tools;
use super::turn::{Planned, Step, Turn, Verdict, stop_reason};
use super::{Action, Approver, Event, HelmError, Model, history, prompt};
use crate::model::{Block, Completion, Message, Mode, Request, Role, Stop, Usage};
use crate::sessions::{ActionRow, ActionState, Context, MessageRow, TurnRow, TurnState, Write};

pub struct Runner {
    pub helm: Arc<Shared>,
    pub row: TurnRow,
    pub turn: Turn,
    pub caller: Caller,
    /// For the first call of the model, where it was read beforehand.
    pub context: Option<Context>,
    pub stream: bool,
    pub approver: Option<Arc<dyn Approver>>,
    pub board: Arc<Board>,
    pub cancelled: CancellationToken,
    pub trace: Vec<TraceEntry>,
    pub usage: Usage,
    /// Calls of this turn that wait for a decision.
    pub waiting: Vec<Action>,
    /// Actions that wait from before, and that the turn does not wait for.
    pub earlier: Vec<Action>,
    /// The model's last answer, and its row once it is written.
    pub last: Option<Completion>,
    pub last_row: Option<u64>,
    pub used: Model,
}

/// A call that is held, with the id under which it is decided.
struct Held {
    action: Action,
    planned: Planned,
}

impl Runner {
    /// From the next model call to the end of the turn.
    pub async fn run(mut self) -> Result<TurnResult, HelmError> {
        let mut step = Step::CallModel;
        loop {
            // Nothing more is begun once somebody said stop.
            if self.cancelled.is_cancelled() && !matches!(step, Step::End { .. }) {
                if let Step::Skills(planned) = &step {
                    let stopped = self.stopped(planned, &[]).await?;
                    self.trace.extend(stopped);
                }
                return self.end(StopReason::Cancelled, None).await;
            }
            step = match step {
                Step::CallModel => match self.call_model().await? {
                    Called::Answer(answer) => self.answered(answer).await?,
                    Called::Cancelled(partial) => return self.interrupted(partial).await,
                },
                Step::Skills(planned) => match self.skills(planned).await? {
                    Some(step) => step,
                    None => return self.end(StopReason::Cancelled, None).await,
                },
                Step::End { stop, halted } => return self.end(stop, halted).await,
            };
        }
    }

    async fn call_model(&mut self) -> Result<Called, HelmError> {
        let context = match self.context.take() {
            Some(context) => context,
            None => self.helm.store.context(&self.row.session, self.helm.context_bytes()).await?,
        };
        let mode = self.row.settings.mode;
        let offers_tools = mode != Mode::Propose;
        let budget = self.helm.settings.history_tokens;
        let messages = history::messages(context.messages, &context.states, &self.row.id, budget);
        let skills = &self.helm.skills;
        let request = Request {
            system: Some(prompt::system(mode, skills.specs())),
            messages,
            tools: if offers_tools { skills.tools() } else { Arc::default() },
            stream: self.stream || self.caller.events.log.watchers() > 0,
            goes_on: true,
            ..Request::default()
        };
        let candidate = &self.caller.candidates[self.caller.current];
        self.caller.events.push(Event::TurnStart {
            iteration: self.turn.iterations() + 1,
            provider: candidate.provider.id().to_owned(),
            model: candidate.model(),
        });
        self.caller.call(&request).await
    }

    /// Takes note of an answer. The last one of a turn is written with the end of the turn, in one go.
    async fn answered(&mut self, answer: Completion) -> Result<Step, HelmError> {
        let step = self.turn.answered(&answer, &self.helm.skills);
        self.usage.add(answer.usage);
        self.used = self.caller.used(answer.model.as_ref());
        self.caller
            .events
            .push(Event::TurnStop { iteration: self.turn.iterations(), stop_reason: stop_reason(&answer.stop) });
        let message = answer.message.clone();
        self.last = Some(answer);
        self.last_row = None;
        if !matches!(step, Step::End { .. }) {
            let rows = self.write(vec![self.assistant(message), self.state(TurnState::Running)]).await?;
            self.last_row = rows.first().copied();
        }
        Ok(step)
    }

    /// Deals with all calls of an answer; none if the turn was interrupted meanwhile.
    async fn skills(&mut self, planned: Vec<Planned>) -> Result<Option<Step>, HelmError> {
        if self.run_and_write(&planned).await?.is_none() {
            return Ok(None);
        }
        let held: Vec<Held> = planned.into_iter().filter_map(|planned| self.hold(planned)).collect();
        if held.is_empty() {
            return Ok(Some(self.turn.skills_done(false)));
        }
        let mut writes: Vec<Write> =
            held.iter().map(|held| Write::Action(self.action_row(&held.action, ActionState::Held))).collect();
        writes.push(self.state(TurnState::Held));
        self.write(writes).await?;
        self.waiting = held.iter().map(|held| held.action.clone()).collect();
        let Some(Decided { ids, decision, resume }) = self.ask().await else {
            let cancelled = self.cancelled.is_cancelled();
            return Ok((!cancelled).then(|| self.turn.skills_done(true)));
        };
        let decided: Vec<(String, Planned)> = held
            .into_iter()
            .filter(|held| ids.contains(&held.action.id))
            .map(|held| (held.action.id, held.planned))
            .collect();
        if self.decide(decided, &decision, Vec::new()).await?.is_none() {
            return Ok(None);
        }
        if !resume && self.waiting.is_empty() {
            return Ok(Some(Step::End { stop: StopReason::EndTurn, halted: None }));
        }
        Ok(Some(self.turn.skills_done(!self.waiting.is_empty())))
    }

    /// Carries out a decision on actions; none if the turn was interrupted meanwhile.
    ///
    /// # Errors
    /// When one of them has been decided elsewhere meanwhile; nothing has run then.
    pub async fn decide(
        &mut self,
        decided: Vec<(String, Planned)>,
        decision: &Decision,
        mut writes: Vec<Write>,
    ) -> Result<Option<()>, HelmError> {
        let state = match decision {
            Decision::Approve(_) => ActionState::Approved,
            Decision::Deny => ActionState::Denied,
        };
        writes.extend(decided.iter().map(|(id, _)| Write::Decide { id: id.clone(), state }));
        writes.push(self.state(TurnState::Running));
        self.write(writes).await?;
        self.waiting.retain(|action| !decided.iter().any(|(id, _)| *id == action.id));
        let planned: Vec<Planned> = decided.into_iter().map(|(_, planned)| planned).collect();
        match decision {
            Decision::Approve(input) => {
                let allowed: Vec<Planned> =
                    planned.into_iter().map(|planned| self.allow(planned, input.as_ref())).collect();
                self.run_and_write(&allowed).await
            }
            Decision::Deny => {
                let entries: Vec<TraceEntry> = planned.iter().map(tools::denied).collect();
                entries.iter().for_each(|entry| self.result_event(entry));
                self.write_results(&entries).await?;
                self.trace.extend(entries);
                Ok(Some(()))
            }
        }
    }

    /// An approved call runs, if its input fits.
    fn allow(&self, mut planned: Planned, input: Option<&serde_json::Value>) -> Planned {
        if let Some(input) = input {
            planned.input = input.clone();
        }
        planned.verdict = match self.helm.skills.get(&planned.call.name) {
            None => Verdict::Refuse(format!("skill '{}' is not available", planned.call.name)),
            Some(skill) => match skill.check(&planned.input) {
                Err(fault) => Verdict::Refuse(fault.to_string()),
                Ok(()) => Verdict::Run { safe: !skill.spec().dangerous },
            },
        };
        planned
    }

    /// Runs what may run, and keeps each result as it comes: what a skill has done stays done, and the model must hear
    /// of it whatever happens next.
    async fn run_and_write(&mut self, planned: &[Planned]) -> Result<Option<()>, HelmError> {
        let skills = Arc::clone(&self.helm.skills);
        let mut entries: Vec<TraceEntry> = Vec::new();
        for group in tools::groups(planned) {
            let mut calls = tools::start(&group, &skills);
            loop {
                // Dropping the calls stops the skills that are at work.
                let entry = tokio::select! {
                    biased;
                    entry = calls.next() => entry,
                    () = self.cancelled.cancelled() => {
                        drop(calls);
                        entries.extend(self.stopped(planned, &entries).await?);
                        self.trace.extend(tools::in_order(entries, planned));
                        return Ok(None);
                    }
                };
                let Some(entry) = entry else { break };
                self.result_event(&entry);
                self.write_results(std::slice::from_ref(&entry)).await?;
                entries.push(entry);
            }
        }
        self.trace.extend(tools::in_order(entries, planned));
        Ok(Some(()))
    }

    /// What is kept of calls that an interruption left without a result.
    async fn stopped(&self, planned: &[Planned], done: &[TraceEntry]) -> Result<Vec<TraceEntry>, HelmError> {
        let entries = tools::stopped(planned, done);
        entries.iter().for_each(|entry| self.result_event(entry));
        self.write_results(&entries).await?;
        Ok(entries)
    }

    fn hold(&self, planned: Planned) -> Option<Held> {
        let Verdict::Hold(reason) = &planned.verdict else { return None };
        let action = Action {
            id: new_id("act"),
            skill: planned.call.name.clone(),
            input: Some(planned.input.clone()),
            tool_use_id: Some(planned.call.id.clone()),
            reason: Some(reason.clone()),
            dangerous: self.is_dangerous(&planned.call.name),
        };
        self.caller.events.push(Event::ToolHeld {
            action_id: action.id.clone(),
            tool_use_id: planned.call.id.clone(),
            skill: action.skill.clone(),
            input: planned.input.clone(),
            reason: reason.clone(),
        });
        Some(Held { action, planned })
    }

    /// Asks whoever can be asked, and hears `approve` from elsewhere meanwhile.
    async fn ask(&self) -> Option<Decided> {
        let approver = self.approver.as_ref()?;
        let ids: Vec<String> = self.waiting.iter().map(|action| action.id.clone()).collect();
        let request = ApprovalRequest {
            id: new_id("apr"),
            session: self.row.session.clone(),
            turn_id: self.row.id.clone(),
            actions: self.waiting.clone(),
            deadline: self.helm.settings.approval_timeout,
        };
        let elsewhere = self.board.wait(ids.clone());
        let decided = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            Ok(decided) = elsewhere => Some(decided),
            decision = approver.decide(&request) => decision.map(|decision| Decided { ids, decision, resume: true }),
        };
        self.board.clear();
        approver.settled(&request, decided.as_ref().map(|decided| &decided.decision)).await;
        decided
    }

    async fn interrupted(mut self, partial: Completion) -> Result<TurnResult, HelmError> {
        self.usage.add(partial.usage);
        self.used = self.caller.used(partial.model.as_ref());
        // Calls of an answer that was cut short may be cut short themselves.
        let mut blocks = partial.message.blocks.clone();
        blocks.retain(|block| matches!(block, Block::Text { .. }));
        let message = Message { role: Role::Assistant, blocks };
        self.last = Some(Completion { message, stop: Stop::EndTurn, ..partial });
        self.last_row = None;
        self.end(StopReason::Cancelled, None).await
    }

    /// Ends the turn without another model call.
    pub async fn end(mut self, stop: StopReason, halted: Option<Halted>) -> Result<TurnResult, HelmError> {
        let last = self.last.take();
        let metadata = last.as_ref().map(|last| last.metadata.clone()).unwrap_or_default();
        let refusal = last.as_ref().and_then(|last| match &last.stop {
            Stop::Refusal(why) => why.clone(),
            _ => None,
        });
        let answer = last.map(|last| last.message).filter(|answer| !answer.blocks.is_empty());
        let (suggestions, shown) =
            answer.as_ref().map(|answer| super::action_block::parse(&answer.plain_text())).unwrap_or_default();
        let suggested: Vec<Action> = suggestions.into_iter().map(|suggestion| self.suggest(suggestion)).collect();
        let mut writes: Vec<Write> =
            suggested.iter().map(|action| Write::Action(self.action_row(action, ActionState::Held))).collect();
        if let Some(answer) = answer.clone().filter(|_| self.last_row.is_none()) {
            writes.push(self.assistant(answer));
        }
        self.waiting.extend(suggested);
        self.waiting.append(&mut self.earlier);
        let state = match stop {
            _ if !self.waiting.is_empty() => TurnState::Held,
            // Nothing came of it, and later prompts go without it.
            StopReason::Cancelled if self.turn.iterations() == 0 && answer.is_none() => TurnState::Failed,
            _ => TurnState::Done,
        };
        writes.push(self.state(state));
        // The event of the end is the next one.
        writes.push(Write::LastSeq { session: self.row.session.clone(), seq: self.caller.events.log.last_seq() + 1 });
        let rows = self.write(writes).await?;
        let row = self.last_row.or(rows.first().copied()).unwrap_or_default();
        let assistant_message = (!shown.is_empty()).then(|| self.message_row(row, &shown));
        Ok(TurnResult {
            session: self.row.session,
            turn_id: self.row.id,
            mode: self.row.settings.mode,
            mode_requested: self.row.settings.mode_requested,
            downgrade_reason: self.row.settings.downgrade_reason,
            assistant_message,
            suggested_actions: self.waiting,
            trace: self.trace,
            stop_reason: stop,
            refusal,
            iterations_used: self.turn.iterations(),
            used: self.used,
            usage: self.usage,
            attempts: self.caller.attempts,
            halted,
            metadata,
            last_answer: answer.map(|answer| answer.blocks).unwrap_or_default(),
        })
    }

    fn suggest(&self, suggestion: super::action_block::Suggestion) -> Action {
        let known = self.helm.skills.get(&suggestion.skill).is_some();
        let reason = if known { None } else { Some(format!("unknown skill '{}'", suggestion.skill)) };
        let dangerous = self.is_dangerous(&suggestion.skill);
        let (skill, input) = (suggestion.skill, suggestion.input);
        Action { id: new_id("act"), skill, input, tool_use_id: None, reason, dangerous }
    }

    /// What is not known counts as dangerous.
    fn is_dangerous(&self, skill: &str) -> bool {
        self.helm.skills.get(skill).is_none_or(|skill| skill.spec().dangerous)
    }

    fn result_event(&self, entry: &TraceEntry) {
        self.caller.events.push(Event::ToolResult {
            tool_use_id: entry.tool_use_id.clone(),
            skill: entry.skill.clone(),
            outcome: entry.outcome.clone(),
            duration_ms: millis(entry.duration),
        });
    }

    async fn write_results(&self, entries: &[TraceEntry]) -> Result<(), HelmError> {
        if entries.is_empty() {
            return Ok(());
        }
        let limit = self.helm.settings.tool_result_bytes;
        let blocks = entries.iter().map(|entry| tools::result(entry, limit)).collect();
        self.write(vec![self.message(Message { role: Role::Tool, blocks }, None)]).await?;
        Ok(())
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Vec<u64>, HelmError> {
        Ok(self.helm.store.write(writes).await?)
    }

    fn assistant(&self, message: Message) -> Write {
        self.message(message, Some(self.used.provider.clone()))
    }

    fn message(&self, message: Message, provider: Option<String>) -> Write {
        Write::Message { session: self.row.session.clone(), turn_id: self.row.id.clone(), message, provider }
    }

    fn state(&self, state: TurnState) -> Write {
        Write::TurnState { turn_id: self.row.id.clone(), state, iterations: self.turn.iterations() }
    }

    fn action_row(&self, action: &Action, state: ActionState) -> ActionRow {
        action_of(action, &self.row.session, &self.row.id, state)
    }

    /// The answer as it is shown.
    fn message_row(&self, id: u64, shown: &str) -> MessageRow {
        MessageRow {
            id,
            turn_id: self.row.id.clone(),
            message: Message::text(Role::Assistant, shown),
            provider: Some(self.used.provider.clone()),
            created_at: now_ms(),
        }
    }
}
