//! An engine that plays scripts, and a provider that answers with a text.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::sync::Notify;

use crate::model::{
    Answer, Block, BlockStart, Delta, DeltaStream, Ending, Engine, Happening, Message, ModelInfo, Place, Provider,
    ProviderError, Request, Role, Run, Steered, Stop, Task, Thread,
};

#[derive(Clone, Debug)]
pub enum Play {
    Tell(Happening),
    /// Goes on when this was answered so.
    Expect(&'static str, Answer),
    /// Goes on when this was added to the question.
    ExpectSteer(&'static str),
    Fail(ProviderError),
    /// Says nothing until it is interrupted.
    Hang,
    /// Does not even hear that it is interrupted.
    Deaf,
}

pub use Play::{Deaf, Expect, ExpectSteer, Fail, Hang, Tell};

/// What the engine does when it is asked to begin, or to take up.
pub type Script = Result<Vec<Play>, ProviderError>;

#[derive(Default)]
pub struct Fake {
    pub begins: Mutex<VecDeque<Script>>,
    pub take_ups: Mutex<VecDeque<Option<Script>>>,
    pub tasks: Mutex<Vec<Task>>,
    pub places: Mutex<Vec<Place>>,
    pub warmed: Mutex<Vec<Place>>,
    pub warms: Mutex<Option<Thread>>,
    pub runs: Mutex<Vec<Arc<Shared>>>,
    pub model: Option<String>,
}

/// How a turn stands.
#[derive(Default)]
pub struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default, Debug)]
pub struct State {
    plays: VecDeque<Play>,
    pub answers: Vec<(String, Answer)>,
    pub steers: Vec<String>,
    /// What is said to it is answered when a test says so.
    pub is_slow: bool,
    unanswered: Vec<u64>,
    outcomes: VecDeque<Happening>,
    pub interrupted: bool,
    pub left: bool,
    pub dropped: bool,
    over: bool,
}

struct Playing(Arc<Shared>);

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers what was said to it and not answered.
    pub fn answer_steers(&self, outcome: &Steered) {
        let mut state = self.state();
        for number in std::mem::take(&mut state.unanswered) {
            state.tell_of(number, outcome.clone());
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

impl Fake {
    pub fn playing(scripts: Vec<Script>) -> Arc<Self> {
        Arc::new(Self { begins: Mutex::new(scripts.into()), ..Self::default() })
    }

    /// The newest turn.
    pub fn last(&self) -> Arc<Shared> {
        self.runs.lock().unwrap().last().cloned().expect("a turn")
    }

    pub fn then_takes_up(self: Arc<Self>, script: Option<Script>) -> Arc<Self> {
        self.take_ups.lock().unwrap().push_back(script);
        self
    }

    /// The messages that came with each turn and were new.
    pub fn told(&self) -> Vec<Vec<String>> {
        let one = |(_, message): &(u64, Message)| said(message);
        self.tasks.lock().unwrap().iter().map(|task| task.messages.iter().skip(task.known).map(one).collect()).collect()
    }

    fn play(&self, plays: Vec<Play>) -> Box<dyn Run> {
        let state = State { plays: plays.into(), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() });
        self.runs.lock().unwrap().push(Arc::clone(&shared));
        Box::new(Playing(shared))
    }
}

/// A message in short.
pub fn said(message: &Message) -> String {
    let blocks = message.blocks.iter().map(|block| match block {
        Block::Text { text } => text.clone(),
        Block::ToolCall(call) => format!("{}={}({})", call.id, call.name, call.arguments),
        Block::ToolResult(result) => format!("{}→{}", result.call_id, result.content),
        other => format!("{other:?}"),
    });
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::System => "system",
    };
    format!("{role}: {}", blocks.collect::<Vec<_>>().join(" | "))
}

#[async_trait]
impl Engine for Fake {
    fn id(&self) -> &str {
        "codex"
    }

    fn default_model(&self) -> Option<String> {
        self.model.clone()
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        self.warmed.lock().unwrap().push(place);
        self.warms.lock().unwrap().clone()
    }

    async fn begin(&self, task: Task) -> Result<Box<dyn Run>, ProviderError> {
        self.tasks.lock().unwrap().push(task);
        let script = self.begins.lock().unwrap().pop_front().expect("a script for this turn");
        script.map(|plays| self.play(plays))
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        self.places.lock().unwrap().push(place);
        let script = self.take_ups.lock().unwrap().pop_front().expect("a script for taking up");
        script.transpose().map(|plays| plays.map(|plays| self.play(plays)))
    }
}

impl State {
    fn tell_of(&mut self, number: u64, outcome: Steered) {
        self.outcomes.push_back(Happening::Steered { number, outcome });
    }

    fn step(&mut self) -> Option<Result<Happening, ProviderError>> {
        assert!(!self.over, "asked for more after the end");
        if let Some(outcome) = self.outcomes.pop_front() {
            return Some(Ok(outcome));
        }
        let interruptible = !matches!(self.plays.front(), Some(Deaf));
        if self.interrupted && interruptible {
            self.over = true;
            return Some(Ok(Happening::Ended(Ending::Interrupted)));
        }
        loop {
            match self.plays.front()?.clone() {
                Tell(happening) => {
                    self.plays.pop_front();
                    self.over = matches!(happening, Happening::Ended(_));
                    return Some(Ok(happening));
                }
                Expect(id, answer) => {
                    let at = self.answers.iter().position(|(of, _)| of == id)?;
                    assert_eq!(self.answers.remove(at).1, answer, "{id}");
                    self.plays.pop_front();
                }
                ExpectSteer(text) => {
                    self.steers.iter().find(|steer| *steer == text)?;
                    self.plays.pop_front();
                }
                Fail(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
                Hang | Deaf => return None,
            }
        }
    }
}

#[async_trait]
impl Run for Playing {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        loop {
            let changed = self.0.changed.notified();
            if let Some(happening) = self.0.state().step() {
                return happening;
            }
            changed.await;
        }
    }

    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError> {
        self.0.state().answers.push((id.to_owned(), answer));
        self.0.changed.notify_waiters();
        Ok(())
    }

    fn steer(&mut self, number: u64, content: &[Block]) {
        let text = Message { role: Role::User, blocks: content.to_vec() }.plain_text();
        let mut state = self.0.state();
        match text.as_str() {
            "too late" => state.tell_of(number, Steered::Refused("no active turn".to_owned())),
            _ if state.is_slow => state.unanswered.push(number),
            _ => state.tell_of(number, Steered::Taken),
        }
        state.steers.push(text);
        drop(state);
        self.0.changed.notify_waiters();
    }

    async fn interrupt(&mut self) {
        self.0.state().interrupted = true;
        self.0.changed.notify_waiters();
    }

    async fn leave(self: Box<Self>) {
        self.0.state().left = true;
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.0.state().dropped = true;
    }
}

pub fn text(index: u32, text: &str) -> Vec<Play> {
    [
        Delta::Start { index, block: BlockStart::Text },
        Delta::Text { index, text: text.to_owned() },
        Delta::Stop { index },
    ]
    .into_iter()
    .map(|delta| Tell(Happening::Said(delta)))
    .collect()
}

pub fn done() -> Play {
    Tell(Happening::Ended(Ending::Done))
}

/// Completes every message with one text, and keeps what it was asked.
#[derive(Default)]
pub struct Completing {
    pub asked: Mutex<Vec<Request>>,
    pub fails: bool,
}

#[async_trait]
impl Provider for Completing {
    fn id(&self) -> &str {
        "plain"
    }

    fn default_model(&self) -> Option<&str> {
        Some("plain-1")
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        self.asked.lock().unwrap().push(request);
        if self.fails {
            return Err(ProviderError::new(crate::model::ErrorKind::Unavailable, "overloaded"));
        }
        let deltas = [
            Delta::Start { index: 0, block: BlockStart::Text },
            Delta::Text { index: 0, text: "From plain.".to_owned() },
            Delta::Stop { index: 0 },
            Delta::Finished(Stop::EndTurn),
        ];
        Ok(futures_util::stream::iter(deltas.map(Ok)).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}
