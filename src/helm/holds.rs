//! Running the skills that a model calls, and holding those that wait for somebody's word.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::approval::{self, ApprovalRequest, Decided, Decision};
use super::id::{millis, new_id};
use super::request::{StopReason, TraceEntry};
use super::runner::Runner;
use super::tools;
use super::turn::{Planned, Step, Verdict};
use super::{Action, Event, HelmError};
use crate::model::{Message, Role};
use crate::sessions::{ActionState, TurnState, Write};

/// A call that is held, with the id under which it is decided.
#[derive(Clone)]
pub struct Held {
    pub action: Action,
    pub planned: Planned,
}

impl Runner {
    /// Deals with all calls of an answer; none if the turn was interrupted meanwhile.
    pub async fn skills(&mut self, planned: Vec<Planned>) -> Result<Option<Step>, HelmError> {
        if self.run_and_write(&planned).await?.is_none() {
            return Ok(None);
        }
        let held: Vec<Held> = planned.into_iter().filter_map(|planned| self.hold(planned, false)).collect();
        if held.is_empty() {
            return Ok(Some(self.turn.skills_done(false)));
        }
        let all = self.waiting.iter().chain(held.iter().map(|held| &held.action)).cloned().collect();
        let asking = self.asking(all, self.cancelled.clone());
        self.keep_held(&held).await?;
        let asked = match asking {
            Some(asking) => asking.await,
            None => None,
        };
        let Some(Decided { ids, decision, resume }) = asked else {
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
        writes: Vec<Write>,
    ) -> Result<Option<()>, HelmError> {
        let (ids, planned): (Vec<String>, Vec<Planned>) = decided.into_iter().unzip();
        self.note_decision(&ids, decision, writes).await?;
        match decision {
            Decision::Approve(input) => {
                let allowed: Vec<Planned> =
                    planned.into_iter().map(|planned| self.allow(planned, input.as_ref())).collect();
                self.run_and_write(&allowed).await
            }
            Decision::Deny => {
                self.note_results(planned.iter().map(tools::denied).collect()).await?;
                Ok(Some(()))
            }
        }
    }

    /// Writes a decision down, with what has to be written before it.
    ///
    /// # Errors
    /// When one of the actions has been decided elsewhere meanwhile; nothing is written then.
    pub async fn note_decision(
        &mut self,
        ids: &[String],
        decision: &Decision,
        mut writes: Vec<Write>,
    ) -> Result<(), HelmError> {
        let state = match decision {
            Decision::Approve(_) => ActionState::Approved,
            Decision::Deny => ActionState::Denied,
        };
        let is_open = |action: &&Action| !ids.contains(&action.id);
        let others_wait = self.waiting.iter().any(|action| is_open(&action));
        writes.extend(ids.iter().map(|id| Write::Decide { id: id.clone(), state }));
        writes.push(self.state(if others_wait { TurnState::Held } else { TurnState::Running }));
        self.write(writes).await?;
        self.waiting.retain(|action| is_open(&action));
        Ok(())
    }

    /// Tells and keeps what became of calls.
    pub async fn note_results(&mut self, entries: Vec<TraceEntry>) -> Result<(), HelmError> {
        entries.iter().for_each(|entry| self.result_event(entry));
        self.write_results(&entries).await?;
        self.trace.extend(entries);
        Ok(())
    }

    /// An approved call runs, if its input fits and nothing is against it already.
    pub fn allow(&self, mut planned: Planned, input: Option<&serde_json::Value>) -> Planned {
        if matches!(planned.verdict, Verdict::Refuse(_)) {
            return planned;
        }
        if let Some(input) = input {
            planned.input = input.clone();
        }
        planned.verdict = match self.setup.skills.get(&planned.call.name) {
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
        let (skills, client) = (Arc::clone(&self.setup.skills), Arc::clone(&self.client));
        let mut entries: Vec<TraceEntry> = Vec::new();
        for group in tools::groups(planned) {
            let mut calls = tools::start(&group, &skills, &client);
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
    pub async fn stopped(&self, planned: &[Planned], done: &[TraceEntry]) -> Result<Vec<TraceEntry>, HelmError> {
        let entries = tools::stopped(planned, done);
        entries.iter().for_each(|entry| self.result_event(entry));
        self.write_results(&entries).await?;
        Ok(entries)
    }

    /// None if it need not be held.
    pub fn hold(&self, planned: Planned, own: bool) -> Option<Held> {
        let Verdict::Hold(reason) = &planned.verdict else { return None };
        let id = new_id("act");
        let action = Action {
            plugin: if own { None } else { self.brought_by(&id, &planned.call.name) },
            id,
            skill: planned.call.name.clone(),
            input: Some(planned.input.clone()),
            tool_use_id: Some(planned.call.id.clone()),
            reason: Some(reason.clone()),
            dangerous: own || self.is_dangerous(&planned.call.name),
            own,
        };
        Some(Held { action, planned })
    }

    /// On disk before anybody hears of it, and told.
    pub async fn keep_held(&mut self, held: &[Held]) -> Result<(), HelmError> {
        let mut writes: Vec<Write> =
            held.iter().map(|held| Write::Action(self.action_row(&held.action, ActionState::Held))).collect();
        writes.push(self.state(TurnState::Held));
        self.write(writes).await?;
        for Held { action, planned } in held {
            self.waiting.push(action.clone());
            self.caller.events.push(Event::ToolHeld {
                action_id: action.id.clone(),
                tool_use_id: planned.call.id.clone(),
                skill: action.skill.clone(),
                input: planned.input.clone(),
                reason: action.reason.clone().unwrap_or_default(),
            });
        }
        Ok(())
    }

    /// Asks whoever can be asked, if anybody can. A decision is heard from now on: whoever reads of an action, on disk
    /// or in an event, may decide it at once.
    pub fn asking(
        &self,
        actions: Vec<Action>,
        void: CancellationToken,
    ) -> Option<impl Future<Output = Option<Decided>> + Send + 'static> {
        let approver = self.approver.clone()?;
        let request = ApprovalRequest {
            id: new_id("apr"),
            session: self.row.session.clone(),
            turn_id: self.row.id.clone(),
            actions,
            deadline: self.setup.settings.approval_timeout,
        };
        Some(approval::ask(approver, Arc::clone(&self.running.board), request, void))
    }

    pub fn result_event(&self, entry: &TraceEntry) {
        self.caller.events.push(Event::ToolResult {
            tool_use_id: entry.tool_use_id.clone(),
            skill: entry.skill.clone(),
            outcome: entry.outcome.clone(),
            duration_ms: millis(entry.duration),
        });
    }

    pub async fn write_results(&self, entries: &[TraceEntry]) -> Result<(), HelmError> {
        if entries.is_empty() {
            return Ok(());
        }
        let limit = self.setup.settings.tool_result_bytes;
        let blocks = entries.iter().map(|entry| tools::result(entry, limit)).collect();
        self.write(vec![self.message(Message { role: Role::Tool, blocks }, None)]).await?;
        Ok(())
    }
}
