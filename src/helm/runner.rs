//! Does what a turn's decisions ask for: calls the model, runs skills, writes down what came of it.
//!
//! The order of writing is what survives a crash: an answer with calls is on disk before the first of them runs, an
//! approval before what it allows, and everything before the client hears of the end.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::attempts::{Called, Caller};
use super::conductor::{Shared, action_of};
use super::request::{StopReason, TraceEntry, TurnResult};
use super::running::{Running, Steer};
use super::turn::{Step, Turn, stop_reason};
use super::{Action, Approver, Event, HelmError, Model, history, prompt, spans};
use crate::model::{ClientPlace, Completion, Message, Request, Usage};
use crate::sessions::{ActionRow, ActionState, Context, TurnRow, TurnState, Write};

pub struct Runner {
    pub helm: Arc<Shared>,
    pub row: TurnRow,
    pub turn: Turn,
    pub caller: Caller,
    /// For the first call of the model, where it was read beforehand.
    pub context: Option<Context>,
    pub stream: bool,
    /// Of the client that asked for the turn.
    pub client: Arc<ClientPlace>,
    pub approver: Option<Arc<dyn Approver>>,
    pub running: Arc<Running>,
    pub cancelled: CancellationToken,
    /// What is said to the turn while it runs. Only an engine listens; whoever says something must know that soon.
    pub steers: Option<mpsc::Receiver<Steer>>,
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
    /// An engine has run part of the turn, and knows what is kept of it.
    pub threaded: bool,
}

impl Runner {
    /// From the next model call to the end of the turn.
    pub async fn run(self) -> Result<TurnResult, HelmError> {
        self.run_from(Step::CallModel).await
    }

    pub async fn run_from(self, step: Step) -> Result<TurnResult, HelmError> {
        let span = spans::turn(&self.row);
        let result = self.go_on_from(step).instrument(span.clone()).await;
        spans::turn_ended(&span, &result);
        result
    }

    async fn go_on_from(mut self, mut step: Step) -> Result<TurnResult, HelmError> {
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
                    Called::Engine(engine) => {
                        let span = spans::engine(&self.caller.candidates[self.caller.current]);
                        self.engine_turn(engine).instrument(span).await?
                    }
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
        if let Some(engine) = &self.caller.candidates[self.caller.current].engine {
            return Ok(Called::Engine(Arc::clone(engine)));
        }
        self.steers = None;
        let context = self.context().await?;
        let mode = self.row.settings.mode;
        let budget = self.helm.settings.history_tokens;
        let messages = history::messages(context.messages, &context.states, &self.row.id, budget);
        let request = Request {
            system: Some(prompt::system(mode, self.helm.skills.specs())),
            messages,
            tools: self.helm.tools(mode),
            stream: self.stream || self.caller.events.log.watchers() > 0,
            goes_on: true,
            ..Request::default()
        };
        self.model_is_called();
        self.caller.call(&request).await
    }

    /// What the turn has to know of its session.
    pub async fn context(&mut self) -> Result<Context, HelmError> {
        match self.context.take() {
            Some(context) => Ok(context),
            None => Ok(self.helm.store.context(&self.row.session, self.helm.context_bytes()).await?),
        }
    }

    pub fn model_is_called(&self) {
        let candidate = &self.caller.candidates[self.caller.current];
        let (provider, model) = (candidate.id.clone(), candidate.model());
        self.caller.events.push(Event::TurnStart { iteration: self.turn.iterations() + 1, provider, model });
    }

    /// Takes note of an answer. The last one of a turn is written with the end of the turn, in one go.
    async fn answered(&mut self, answer: Completion) -> Result<Step, HelmError> {
        let step = self.turn.answered(&answer, &self.helm.skills);
        self.caller.in_mid_turn(None);
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

    /// What is not known counts as dangerous.
    pub fn is_dangerous(&self, skill: &str) -> bool {
        self.helm.skills.get(skill).is_none_or(|skill| skill.spec().dangerous)
    }

    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<u64>, HelmError> {
        Ok(self.helm.store.write(writes).await?)
    }

    pub fn assistant(&self, message: Message) -> Write {
        self.message(message, Some(self.used.provider.clone()))
    }

    pub fn message(&self, message: Message, provider: Option<String>) -> Write {
        Write::Message { session: self.row.session.clone(), turn_id: self.row.id.clone(), message, provider }
    }

    pub fn state(&self, state: TurnState) -> Write {
        Write::TurnState { turn_id: self.row.id.clone(), state, iterations: self.turn.iterations() }
    }

    pub fn action_row(&self, action: &Action, state: ActionState) -> ActionRow {
        action_of(action, &self.row.session, &self.row.id, state)
    }
}
