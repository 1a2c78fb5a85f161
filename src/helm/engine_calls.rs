//! What an engine calls and asks in the midst of its turn: skills run or wait for somebody's word as in any turn, and
//! what the engine would do of its own is allowed, refused or held.
//!
//! Each call is known by its id, so that one that is told again, after the way to the engine was gone, is neither run
//! nor asked about twice.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::approval::{Decided, Decision};
use super::engine_turn::{Outcome, Work};
use super::holds::Held;
use super::request::TraceEntry;
use super::runner::Runner;
use super::turn::{HELD_IN_PROPOSE, Planned, Verdict};
use super::{HelmError, tools};
use crate::model::{Answer, Asked, Block, Deed, Mode, ToolCall};
use crate::sessions::{ActionState, TurnState, Write};

/// Why something of an engine's own is held, where it does not say so itself.
const ASKED: &str = "it needs your leave";

const NOT_WANTED: &str = "it is no longer waited for; nothing was run";

#[derive(Default)]
pub(super) struct Calls {
    /// Those that may run and wait for their time, and those that run.
    queue: VecDeque<Planned>,
    at_work: Vec<Planned>,
    pub(super) running: FuturesUnordered<BoxFuture<'static, TraceEntry>>,
    /// Questions that are out, by their action.
    pub(super) asking: FuturesUnordered<BoxFuture<'static, (String, Option<Decided>)>>,
    holds: HashMap<String, Hold>,
    known: HashMap<String, Known>,
    /// Calls that are written down, and those whose result is.
    written: HashSet<String>,
    finished: HashSet<String>,
    /// What the engine was allowed to do and may be doing.
    pub(super) allowed: HashSet<String>,
    /// The same where it is written down as a call, until what came of it is.
    untold: HashMap<String, Planned>,
    /// The model does not hear of what was decided.
    pub(super) stops: bool,
}

struct Hold {
    held: Held,
    /// Ends the question.
    void: CancellationToken,
}

/// How a call stands by its id.
enum Known {
    /// It runs, is held, or was allowed.
    Open,
    /// Nobody waits for an answer.
    Settled,
    Answered(Answer),
    /// Before the engine told of it again.
    Decided(Box<Held>, Decision),
}

impl Calls {
    /// Of a turn that is taken up again: what is on disk of it, what was decided now, and what goes on waiting.
    pub(super) fn taken_up<'a>(
        blocks: impl Iterator<Item = &'a Block>,
        decided: Vec<(Held, Decision)>,
        waiting: impl Iterator<Item = String>,
    ) -> Self {
        let mut calls = Self::default();
        for block in blocks {
            match block {
                Block::ToolCall(call) => {
                    calls.written.insert(call.id.clone());
                }
                Block::ToolResult(result) => {
                    let answer = Answer::Result { text: result.content.clone(), is_error: result.is_error };
                    calls.finished.insert(result.call_id.clone());
                    calls.known.insert(result.call_id.clone(), Known::Answered(answer));
                }
                _ => {}
            }
        }
        calls.known.extend(waiting.map(|id| (id, Known::Open)));
        for (held, decision) in decided {
            calls.known.insert(held.planned.call.id.clone(), Known::Decided(Box::new(held), decision));
        }
        calls
    }

    /// Whether the turn was begun before.
    pub(super) fn are_known(&self) -> bool {
        !self.known.is_empty()
    }

    /// Nothing runs here.
    pub(super) fn are_idle(&self) -> bool {
        self.queue.is_empty() && self.running.is_empty()
    }

    /// Nothing is left to do of what was allowed, or decided before the engine asked again.
    pub(super) fn are_done(&self) -> bool {
        self.allowed.is_empty() && !self.known.values().any(|known| matches!(known, Known::Decided(..)))
    }

    fn may_start(&self) -> bool {
        let is_safe = |planned: &Planned| !matches!(planned.verdict, Verdict::Run { safe: false });
        let Some(next) = self.queue.front() else { return false };
        let beside = is_safe(next) && self.at_work.iter().all(is_safe) && self.at_work.len() < tools::SIDE_BY_SIDE;
        self.at_work.is_empty() || beside
    }
}

impl Runner {
    pub(super) fn start_calls(&self, work: &mut Work) {
        while work.calls.may_start() {
            let Some(planned) = work.calls.queue.pop_front() else { break };
            work.calls.at_work.push(planned.clone());
            work.calls.running.push(tools::run(planned, Arc::clone(&self.setup.skills), Arc::clone(&self.client)));
        }
    }

    /// A skill is called.
    pub(super) async fn called(&mut self, work: &mut Work, call: ToolCall) -> Result<Option<Outcome>, HelmError> {
        if work.is_ending() {
            return Ok(None);
        }
        if work.calls.known.contains_key(&call.id) {
            return self.told_again(work, &call.id).await;
        }
        if !self.goes_on(work).await? {
            return Ok(None);
        }
        let planned = self.turn.plan(&call, None, &self.setup.skills);
        work.calls.known.insert(call.id.clone(), Known::Open);
        self.begin_call(work, &planned).await?;
        if planned.is_held() {
            self.hold_call(work, planned, false).await?;
        } else {
            work.calls.queue.push_back(planned);
        }
        Ok(None)
    }

    /// The engine wants leave.
    pub(super) async fn asked(&mut self, work: &mut Work, asked: Asked) -> Result<Option<Outcome>, HelmError> {
        if work.is_ending() {
            return Ok(None);
        }
        if work.calls.known.contains_key(&asked.id) {
            return self.told_again(work, &asked.id).await;
        }
        if !self.goes_on(work).await? {
            return Ok(None);
        }
        let id = asked.id.clone();
        work.calls.known.insert(id.clone(), Known::Open);
        let mode = self.row.settings.mode;
        // What is allowed at once is told and kept when it is done.
        if mode == Mode::Auto {
            work.acted = true;
            work.calls.allowed.insert(id.clone());
            return Ok(self.answer(work, &id, Answer::Allow).await);
        }
        let Asked { id, name, input, reason } = asked;
        let call = own_call(id, name, &input);
        let verdict = match mode {
            Mode::Propose => Verdict::Refuse(HELD_IN_PROPOSE.to_owned()),
            Mode::Selective | Mode::Auto => Verdict::Hold(reason.unwrap_or_else(|| ASKED.to_owned())),
        };
        let planned = Planned { call, input, verdict };
        self.begin_call(work, &planned).await?;
        match &planned.verdict {
            Verdict::Refuse(why) => self.refuse(work, &planned, true, why).await,
            _ => {
                self.hold_call(work, planned, true).await?;
                Ok(None)
            }
        }
    }

    /// On disk, and told, before anything comes of it.
    async fn begin_call(&mut self, work: &mut Work, planned: &Planned) -> Result<(), HelmError> {
        work.acted = true;
        work.calls.written.insert(planned.call.id.clone());
        self.keep_said(work, Some(planned.call.clone())).await?;
        self.caller.events.tool_use(&planned.call.id, &planned.call.name, &planned.input);
        Ok(())
    }

    async fn hold_call(&mut self, work: &mut Work, planned: Planned, own: bool) -> Result<(), HelmError> {
        let Some(held) = self.hold(planned, own) else { return Ok(()) };
        let (id, void) = (held.action.id.clone(), CancellationToken::new());
        let asking = self.asking(vec![held.action.clone()], void.clone());
        self.keep_held(std::slice::from_ref(&held)).await?;
        if let Some(asking) = asking {
            let id = id.clone();
            work.calls.asking.push(Box::pin(async move { (id, asking.await) }));
        }
        work.calls.holds.insert(id, Hold { held, void });
        Ok(())
    }

    /// A call that is known already, after the way to the engine was gone.
    async fn told_again(&mut self, work: &mut Work, id: &str) -> Result<Option<Outcome>, HelmError> {
        match work.calls.known.remove(id) {
            Some(Known::Answered(answer)) => Ok(self.answer(work, id, answer).await),
            Some(Known::Decided(held, decision)) => {
                work.calls.known.insert(id.to_owned(), Known::Open);
                self.carry_out(work, *held, decision).await
            }
            Some(known @ (Known::Open | Known::Settled)) => {
                work.calls.known.insert(id.to_owned(), known);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    pub(super) async fn ran(&mut self, work: &mut Work, entry: TraceEntry) -> Result<Option<Outcome>, HelmError> {
        let id = entry.tool_use_id.clone();
        work.calls.at_work.retain(|planned| planned.call.id != id);
        let answer = self.finish(work, entry).await?;
        Ok(self.answer(work, &id, answer).await)
    }

    /// Tells and keeps what became of a call; what the model reads of it.
    async fn finish(&mut self, work: &mut Work, entry: TraceEntry) -> Result<Answer, HelmError> {
        let (text, is_error) = tools::read(&entry, self.setup.settings.tool_result_bytes);
        work.calls.untold.remove(&entry.tool_use_id);
        work.calls.finished.insert(entry.tool_use_id.clone());
        self.note_results(vec![entry]).await?;
        Ok(Answer::Result { text, is_error })
    }

    /// The turn has failed where the engine takes no answer.
    async fn answer(&mut self, work: &mut Work, id: &str, answer: Answer) -> Option<Outcome> {
        if work.is_ending() || matches!(work.calls.known.get(id), Some(Known::Settled)) {
            return None;
        }
        work.calls.known.insert(id.to_owned(), Known::Answered(answer.clone()));
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            taken = work.run.answer(id, answer) => taken.err().map(Outcome::Failed),
        }
    }

    /// Nobody has decided in time if there is no decision: the turn is left then, once nothing else is open.
    pub(super) async fn was_decided(
        &mut self,
        work: &mut Work,
        action: &str,
        decided: Option<Decided>,
    ) -> Result<Option<Outcome>, HelmError> {
        let Some(Decided { decision, resume, .. }) = decided.filter(|_| !work.is_ending()) else { return Ok(None) };
        let Some(Hold { held, .. }) = work.calls.holds.get(action) else { return Ok(None) };
        if held.action.own && matches!(decision, Decision::Approve(Some(_))) {
            tracing::warn!(turn = %self.row.id, action, "what an engine does cannot be changed; it stays held");
            return Ok(None);
        }
        let held = held.clone();
        self.note_decision(&[action.to_owned()], &decision, Vec::new()).await?;
        work.calls.holds.remove(action);
        work.calls.stops |= !resume;
        self.carry_out(work, held, decision).await
    }

    async fn carry_out(
        &mut self,
        work: &mut Work,
        held: Held,
        decision: Decision,
    ) -> Result<Option<Outcome>, HelmError> {
        let Held { action, planned } = held;
        match decision {
            Decision::Deny => self.refuse(work, &planned, action.own, tools::DENIED).await,
            Decision::Approve(_) if action.own => {
                let id = planned.call.id.clone();
                work.calls.allowed.insert(id.clone());
                work.calls.untold.insert(id.clone(), planned);
                Ok(self.answer(work, &id, Answer::Allow).await)
            }
            Decision::Approve(input) => {
                work.calls.queue.push_back(self.allow(planned, input.as_ref()));
                Ok(None)
            }
        }
    }

    async fn refuse(
        &mut self,
        work: &mut Work,
        planned: &Planned,
        own: bool,
        why: &str,
    ) -> Result<Option<Outcome>, HelmError> {
        let result = self.finish(work, tools::refused(planned, why)).await?;
        let answer = if own { Answer::Deny } else { result };
        Ok(self.answer(work, &planned.call.id, answer).await)
    }

    /// What was called or asked has been answered elsewhere, or is no longer wanted: a decision would come too late.
    pub(super) async fn settled(&mut self, work: &mut Work, id: &str) -> Result<(), HelmError> {
        if !matches!(work.calls.known.get(id), Some(Known::Open | Known::Decided(..))) {
            return Ok(());
        }
        work.calls.known.insert(id.to_owned(), Known::Settled);
        work.calls.allowed.remove(id);
        let is_it = |planned: &Planned| planned.call.id == id;
        let place = work.calls.queue.iter().position(is_it);
        if let Some(planned) = place.and_then(|at| work.calls.queue.remove(at)) {
            self.finish(work, tools::refused(&planned, NOT_WANTED)).await?;
        }
        let waits = self.waiting.iter().find(|action| action.tool_use_id.as_deref() == Some(id));
        if let Some(action) = waits.map(|action| action.id.clone()) {
            self.supersede(work, &action).await?;
        }
        Ok(())
    }

    /// A held action is void. Somebody may have decided it elsewhere, which is why.
    async fn supersede(&mut self, work: &mut Work, id: &str) -> Result<(), HelmError> {
        let Some(at) = self.waiting.iter().position(|action| action.id == id) else { return Ok(()) };
        let action = self.waiting.remove(at);
        let hold = work.calls.holds.remove(id);
        if let Some(hold) = &hold {
            hold.void.cancel();
        }
        let state = if self.waiting.is_empty() { TurnState::Running } else { TurnState::Held };
        let void = Write::Decide { id: action.id.clone(), state: ActionState::Superseded };
        match self.write(vec![void, self.state(state)]).await {
            Ok(_) | Err(HelmError::BadRequest { .. }) => {}
            Err(error) => return Err(error),
        }
        // What became of the engine's own it tells itself.
        if let Some(Hold { held, .. }) = hold.filter(|_| !action.own) {
            self.finish(work, tools::refused(&held.planned, NOT_WANTED)).await?;
        }
        Ok(())
    }

    /// The engine has done something of its own.
    pub(super) async fn did(&mut self, work: &mut Work, deed: Deed) -> Result<(), HelmError> {
        let Deed { id, name, input, outcome, duration_ms } = deed;
        work.calls.allowed.remove(&id);
        if work.calls.finished.contains(&id) {
            return Ok(());
        }
        if !work.calls.written.contains(&id) {
            // It is done, whether it may have been or not.
            if !work.calls.known.contains_key(&id) {
                self.goes_on(work).await?;
            }
            let call = own_call(id.clone(), name.clone(), &input);
            let planned = Planned { call, input: input.clone(), verdict: Verdict::Run { safe: false } };
            self.begin_call(work, &planned).await?;
        }
        let duration = Duration::from_millis(duration_ms);
        let entry = TraceEntry { tool_use_id: id, skill: name, input, outcome, duration };
        self.finish(work, entry).await?;
        Ok(())
    }

    /// Skills at work are stopped, and questions taken back.
    pub(super) async fn stop_calls(&mut self, work: &mut Work) -> Result<(), HelmError> {
        work.calls.running.clear();
        let mut stopped = std::mem::take(&mut work.calls.at_work);
        stopped.extend(work.calls.queue.drain(..));
        let entries = tools::stopped(&stopped, &[]);
        work.calls.finished.extend(entries.iter().map(|entry| entry.tool_use_id.clone()));
        self.note_results(entries).await?;
        work.calls.holds.values().for_each(|hold| hold.void.cancel());
        while work.calls.asking.next().await.is_some() {}
        Ok(())
    }

    /// The engine waits for nothing any more. Skills that are held can be run all the same where the user ended the
    /// turn; everything else is void.
    pub(super) async fn nothing_waits(&mut self, work: &mut Work, by_user: bool) -> Result<(), HelmError> {
        let is_void = |action: &&super::Action| action.own || !by_user;
        let void: Vec<String> = self.waiting.iter().filter(is_void).map(|action| action.id.clone()).collect();
        for id in void {
            self.supersede(work, &id).await?;
        }
        // An engine may ask twice about one deed, or tell nothing of one that came to nothing.
        for planned in std::mem::take(&mut work.calls.untold).into_values() {
            self.finish(work, tools::allowed(&planned)).await?;
        }
        self.note_untold(work).await
    }

    /// What was decided and never asked for again.
    pub(super) async fn note_untold(&mut self, work: &mut Work) -> Result<(), HelmError> {
        let decided: Vec<Planned> = std::mem::take(&mut work.calls.known)
            .into_values()
            .filter_map(|known| match known {
                Known::Decided(held, _) => Some(held.planned),
                _ => None,
            })
            .collect();
        for planned in decided {
            self.finish(work, tools::refused(&planned, NOT_WANTED)).await?;
        }
        Ok(())
    }
}

fn own_call(id: String, name: String, input: &serde_json::Value) -> ToolCall {
    ToolCall { id, name, arguments: input.to_string(), opaque: None }
}
