//! A turn that an engine runs: Helm says what it is about, and from there on hears what happens.
//!
//! The order of writing is that of other turns: a call is on disk before it runs, a decision before it is carried out,
//! and everything before the client hears of the end. `engine_calls` deals with what is called and asked, `engine_said`
//! with what is said.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use super::approval::Decided;
use super::attempts::{Failure, INTERRUPTED, after, late};
use super::engine_calls::Calls;
use super::engine_said::Said;
use super::request::{StopReason, TraceEntry};
use super::runner::Runner;
use super::running::Steer;
use super::steers::Steers;
use super::turn::{Step, capped};
use super::{Event, HelmError, history};
use crate::model::{
    Block, Completion, Delta, Ending, Engine, Happening, Message, Metadata, Place, ProviderError, Role, Run, Stop,
    Task, ToolCall, Usage,
};
use crate::sessions::{ThreadKind, Threads, TurnState, Write};

/// How long an engine may take to end a turn that was interrupted.
const INTERRUPT: Duration = Duration::from_secs(3);

/// The same where nobody waits for it, as when the daemon ends.
const INTERRUPT_UNASKED: Duration = Duration::from_millis(150);

/// A turn that waits for a decision is left when nothing has happened for so long: calls come side by side.
const QUIET: Duration = Duration::from_millis(100);

/// The engine's side of a turn.
pub(super) struct Work {
    pub(super) run: Box<dyn Run>,
    pub(super) said: Said,
    pub(super) calls: Calls,
    pub(super) began: Instant,
    model: Option<String>,
    /// The model has shown a sign.
    heard: bool,
    /// Something was called or done since the model was last asked.
    pub(super) acted: bool,
    /// The model is at work, or its calls are.
    responding: bool,
    pub(super) steers: Steers,
    /// Why the engine was asked to end the turn, and how long that may take.
    ending: Option<(Why, Instant)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Why {
    Cancelled,
    /// The model would go on beyond what it may.
    Capped,
    /// A decision was made that the model does not hear of.
    Decided,
}

/// How it ended.
pub(super) enum Outcome {
    Done,
    Stopped(Why),
    /// It waits in the engine, for a decision.
    Left,
    Failed(ProviderError),
}

/// What the turn wakes up for.
enum Wake {
    Cancelled,
    Ran(TraceEntry),
    Decided(String, Option<Decided>),
    Steered(Steer),
    Happened(Result<Happening, ProviderError>),
    /// Nothing was heard of the model, or of the end.
    Late,
    Quiet,
}

impl Work {
    fn new(run: Box<dyn Run>, began: Instant, calls: Calls) -> Self {
        let heard = calls.are_known();
        Self {
            run,
            said: Said::default(),
            calls,
            began,
            model: None,
            heard,
            acted: false,
            responding: true,
            steers: Steers::default(),
            ending: None,
        }
    }

    /// The next thing to deal with. Nothing is lost when it is another than the one that was waited for.
    async fn wake(&mut self, runner: &mut Runner, quiet: Option<Duration>) -> Wake {
        let late = match (&self.ending, runner.caller.timeout) {
            (Some((_, until)), _) => Some(*until),
            (None, Some(timeout)) if !self.heard => Some(self.began + timeout),
            (None, _) => None,
        };
        let late = late.map(|at| at.saturating_duration_since(Instant::now()));
        let Calls { running, asking, .. } = &mut self.calls;
        tokio::select! {
            // In order: a word of the user's first, then results, for which the engine waits.
            biased;
            () = runner.cancelled.cancelled(), if self.ending.is_none() => Wake::Cancelled,
            Some(entry) = running.next() => Wake::Ran(entry),
            Some((id, decided)) = asking.next() => Wake::Decided(id, decided),
            Some(steer) = steered(&mut runner.steers), if self.ending.is_none() => Wake::Steered(steer),
            happening = self.run.next() => Wake::Happened(happening),
            () = after(late) => Wake::Late,
            () = after(quiet) => Wake::Quiet,
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    async fn interrupt(&mut self, why: Why, patience: Duration) {
        let until = Instant::now() + patience;
        self.ending = Some((why, until));
        // Dropping the turn stops it as well.
        let _ = tokio::time::timeout_at(until, self.run.interrupt()).await;
    }

    async fn leave(self) {
        let _ = tokio::time::timeout(INTERRUPT, self.run.leave()).await;
    }
}

/// Never, if nobody can say anything any more.
async fn steered(steers: &mut Option<tokio::sync::mpsc::Receiver<Steer>>) -> Option<Steer> {
    match steers {
        Some(steers) => steers.recv().await,
        None => None,
    }
}

impl Runner {
    /// The rest of the turn; the next step is its end, or another candidate's if this one failed before it showed
    /// anything.
    pub async fn engine_turn(&mut self, engine: Arc<dyn Engine>) -> Result<Step, HelmError> {
        let mut context = self.context().await?;
        self.take_warmed(&mut context.threads).await?;
        let place = self.place(&context.threads);
        let seen = place.thread.as_ref().map_or(0, |thread| thread.seen);
        let budget = self.helm.settings.history_tokens;
        let (messages, known) = history::known(context.messages, &context.states, &self.row.id, budget, seen);
        self.model_is_called();
        let (began, timeout) = (Instant::now(), self.caller.timeout);
        let run = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            run = engine.begin(Task { place, messages, known }) => Some(run),
            () = after(timeout) => Some(Err(late(&self.caller.candidates[self.caller.current], timeout))),
        };
        match run {
            None => {
                self.caller.record_current(Some(INTERRUPTED.to_owned()), began.elapsed());
                Ok(Step::End { stop: StopReason::Cancelled, halted: None })
            }
            Some(Err(error)) => {
                self.caller.fall_back(Failure::Clean(error), began.elapsed())?;
                Ok(Step::CallModel)
            }
            Some(Ok(run)) => self.follow(run, began, Calls::default()).await,
        }
    }

    /// A thread that was made ready before there was a session is that of its first turn.
    async fn take_warmed(&self, threads: &mut Threads) -> Result<(), HelmError> {
        let (session, mode) = (self.row.session.clone(), self.row.settings.mode);
        let warmed = self.helm.warming.take(&session, mode);
        let Some(thread) = warmed.filter(|_| threads.of(mode).is_none()) else { return Ok(()) };
        threads.put(ThreadKind::of(mode), thread.clone());
        self.write(vec![Write::Thread { session, mode, thread }]).await?;
        Ok(())
    }

    /// Where the turn takes place.
    pub fn place(&self, threads: &Threads) -> Place {
        let mode = self.row.settings.mode;
        let model = self.caller.candidates[self.caller.current].model.clone();
        let cwd = self.client.cwd.clone();
        Place { cwd, ..self.helm.place(&self.row.session, mode, threads.of(mode).cloned(), model) }
    }

    /// From a turn that is at work in the engine to the next step.
    pub(super) async fn follow(&mut self, run: Box<dyn Run>, began: Instant, calls: Calls) -> Result<Step, HelmError> {
        self.threaded = true;
        let mut work = Work::new(run, began, calls);
        let outcome = self.work(&mut work).await;
        // What is said to the turn from now on comes too late.
        self.steers = None;
        match outcome {
            Ok(outcome) => self.worked(work, outcome).await,
            // Somebody else decides, and goes on with it.
            Err(error @ HelmError::BadRequest { .. }) => {
                work.leave().await;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn work(&mut self, work: &mut Work) -> Result<Outcome, HelmError> {
        loop {
            self.start_calls(work);
            let idle = work.ending.is_none() && work.calls.are_idle();
            if idle && work.calls.stops && work.calls.are_done() && self.waiting.is_empty() {
                work.interrupt(Why::Decided, INTERRUPT).await;
            }
            let waits_only = idle && !self.waiting.is_empty() && work.calls.asking.is_empty();
            let long = self.helm.settings.approval_timeout;
            let settles = work.calls.are_done() && work.steers.are_settled();
            let quiet = waits_only.then(|| if settles { QUIET } else { long.max(QUIET) });
            let outcome = match work.wake(self, quiet).await {
                Wake::Cancelled => self.cancel(work).await?,
                Wake::Ran(entry) => self.ran(work, entry).await?,
                Wake::Decided(id, decided) => self.was_decided(work, &id, decided).await?,
                Wake::Steered(steer) => {
                    if let Some((number, content)) = work.steers.say(steer) {
                        work.run.steer(number, &content);
                    }
                    None
                }
                Wake::Happened(Ok(happening)) => self.happened(work, happening).await?,
                Wake::Happened(Err(error)) => Some(match work.ending {
                    Some((why, _)) => Outcome::Stopped(why),
                    None => Outcome::Failed(error),
                }),
                Wake::Late => Some(match work.ending {
                    Some((why, _)) => Outcome::Stopped(why),
                    None => Outcome::Failed(late(&self.caller.candidates[self.caller.current], self.caller.timeout)),
                }),
                Wake::Quiet => Some(Outcome::Left),
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    async fn cancel(&mut self, work: &mut Work) -> Result<Option<Outcome>, HelmError> {
        self.stop_calls(work).await?;
        let unasked = self.running.is_given_up();
        // Nobody said that it should end: what waits for a decision goes on waiting.
        if unasked && !self.waiting.is_empty() {
            return Ok(Some(Outcome::Left));
        }
        let patience = if unasked { INTERRUPT_UNASKED } else { INTERRUPT };
        work.interrupt(Why::Cancelled, patience).await;
        Ok(None)
    }

    async fn happened(&mut self, work: &mut Work, happening: Happening) -> Result<Option<Outcome>, HelmError> {
        work.heard |= is_sign(&happening);
        match happening {
            Happening::Thread(thread) => {
                let (session, mode) = (self.row.session.clone(), self.row.settings.mode);
                self.write(vec![Write::Thread { session, mode, thread }]).await?;
            }
            Happening::Model(model) => {
                self.used = self.caller.used(Some(&model));
                work.model = Some(model);
            }
            Happening::Said(delta) => {
                let begins = matches!(delta, Delta::Start { .. });
                if !begins || self.goes_on(work).await? {
                    work.said.push(delta, &self.caller.events);
                }
            }
            Happening::Void(reason) => {
                work.said.void();
                let candidate = &self.caller.candidates[self.caller.current];
                self.caller.attempt_failed(candidate, None, reason);
            }
            Happening::Responded(usage) => self.responded(work, usage),
            Happening::Call(call) => return self.called(work, call).await,
            Happening::Asked(asked) => return self.asked(work, asked).await,
            Happening::Settled { id } => self.settled(work, &id).await?,
            Happening::Did(deed) => self.did(work, deed).await?,
            Happening::Steered { number, outcome } => self.steered(work, number, outcome).await?,
            Happening::Warning(warning) => {
                let provider = &self.used.provider;
                tracing::warn!(turn = %self.row.id, %provider, warning, "the provider warns");
            }
            Happening::Ended(ending) => {
                let why = work.ending.map(|(why, _)| why);
                return Ok(Some(match (why, ending) {
                    (Some(why), _) => Outcome::Stopped(why),
                    (None, Ending::Done) => Outcome::Done,
                    (None, Ending::Interrupted) => Outcome::Stopped(Why::Cancelled),
                }));
            }
        }
        Ok(None)
    }

    fn responded(&mut self, work: &mut Work, usage: Usage) {
        self.usage.add(usage);
        self.turn.responded();
        let stop_reason = if work.acted { StopReason::ToolUse } else { StopReason::EndTurn };
        self.caller.events.push(Event::TurnStop { iteration: self.turn.iterations(), stop_reason });
        work.responding = false;
        work.acted = false;
        work.calls.allowed.clear();
    }

    /// The model is at work anew, if it was not; false if it may not be.
    pub(super) async fn goes_on(&mut self, work: &mut Work) -> Result<bool, HelmError> {
        if work.ending.is_some_and(|(why, _)| why == Why::Capped) {
            return Ok(false);
        }
        if work.responding || work.ending.is_some() {
            return Ok(true);
        }
        if !self.turn.may_go_on() {
            work.interrupt(Why::Capped, INTERRUPT).await;
            return Ok(false);
        }
        work.responding = true;
        self.keep_said(work, None).await?;
        self.model_is_called();
        Ok(true)
    }

    /// Writes down what was said and not written yet, with the call that it ends with.
    pub(super) async fn keep_said(&mut self, work: &mut Work, call: Option<ToolCall>) -> Result<(), HelmError> {
        let said = work.said.take(&mut self.caller.events);
        let is_more = said.is_none();
        let mut message = said.map_or_else(nothing_said, |said| said.message);
        message.blocks.extend(call.map(Block::ToolCall));
        if message.blocks.is_empty() {
            return Ok(());
        }
        let state = if self.waiting.is_empty() { TurnState::Running } else { TurnState::Held };
        let mut writes = vec![self.assistant(message.clone()), self.state(state)];
        writes.extend(self.seen());
        let rows = self.write(writes).await?;
        match &mut self.last {
            // What the calls of one answer follow is the text before the first of them.
            Some(last) if is_more => last.message.blocks.extend(message.blocks),
            _ => {
                self.last = Some(completion(message, work.model.clone()));
                self.last_row = rows.first().copied();
            }
        }
        Ok(())
    }

    /// That the engine's thread knows what is kept of the turn by now.
    pub fn seen(&self) -> Option<Write> {
        let (session, mode) = (self.row.session.clone(), self.row.settings.mode);
        self.threaded.then(|| Write::Seen { session, mode, turn_id: self.row.id.clone() })
    }

    async fn worked(&mut self, mut work: Work, outcome: Outcome) -> Result<Step, HelmError> {
        self.stop_calls(&mut work).await?;
        let error = match &outcome {
            Outcome::Stopped(Why::Cancelled) => Some(INTERRUPTED.to_owned()),
            Outcome::Done | Outcome::Stopped(_) | Outcome::Left => None,
            Outcome::Failed(error) => return self.failed(work, error.clone()).await,
        };
        self.caller.record_current(error, work.began.elapsed());
        if matches!(outcome, Outcome::Left) {
            self.note_untold(&mut work).await?;
            self.keep_said(&mut work, None).await?;
            let cancelled = self.cancelled.is_cancelled();
            work.leave().await;
            let cancelled = cancelled.then_some(Step::End { stop: StopReason::Cancelled, halted: None });
            return Ok(cancelled.unwrap_or_else(|| self.turn.skills_done(true)));
        }
        self.nothing_waits(&mut work, outcome_is_users(&outcome)).await?;
        let said = work.said.take(&mut self.caller.events);
        match outcome {
            // The last answer of a turn is written with its end, in one go.
            Outcome::Done => self.say_last(said, work.model),
            _ => {
                if let Some(said) = said {
                    self.say_last(Some(said), work.model);
                }
            }
        }
        Ok(match outcome {
            Outcome::Stopped(Why::Cancelled) => Step::End { stop: StopReason::Cancelled, halted: None },
            Outcome::Stopped(Why::Capped) => capped(),
            _ => Step::End { stop: StopReason::EndTurn, halted: None },
        })
    }

    fn say_last(&mut self, said: Option<Completion>, model: Option<String>) {
        self.last = said.map(|said| Completion { model, ..said });
        self.last_row = None;
    }

    /// Another candidate may go on with what is done, unless the user has seen the beginning of an answer.
    async fn failed(&mut self, mut work: Work, error: ProviderError) -> Result<Step, HelmError> {
        let broken = !work.said.is_empty() || !self.waiting.is_empty();
        self.nothing_waits(&mut work, false).await?;
        if self.last.is_some() {
            self.caller.in_mid_turn(None);
        }
        let failure = if broken { Failure::Broken(error) } else { Failure::Clean(error) };
        self.caller.fall_back(failure, work.began.elapsed())?;
        Ok(Step::CallModel)
    }
}

/// Whether the model shows that it is at work.
fn is_sign(happening: &Happening) -> bool {
    use Happening::{Asked, Call, Did, Ended, Responded, Said};
    matches!(happening, Said(_) | Responded(_) | Call(_) | Asked(_) | Did(_) | Ended(_))
}

/// Whether the user, and not the engine, has ended the turn.
fn outcome_is_users(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Stopped(Why::Cancelled))
}

fn nothing_said() -> Message {
    Message { role: Role::Assistant, blocks: Vec::new() }
}

fn completion(message: Message, model: Option<String>) -> Completion {
    Completion { message, usage: Usage::default(), stop: Stop::EndTurn, model, metadata: Metadata::default() }
}
