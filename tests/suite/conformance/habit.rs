//! One habit as a value, and how it is played.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::place::{Place, Way};
use crate::wire::{Framing, Wire, check_form, check_numbers};

/// Whatever is waited for comes sooner.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Habit {
    pub name: &'static str,
    only: Option<Framing>,
    /// Bytes written at a time.
    chunk: usize,
    steps: Vec<Step>,
    ending: Ending,
}

#[derive(Clone)]
enum Step {
    /// Frames that leave in one write.
    Say(Vec<String>),
    /// Bytes as they are, in a write of their own.
    Write(String),
    /// An answer, by its id as it is written.
    Hear(String, Said),
    /// A request or a notification of the daemon's.
    Wait(&'static str),
    EndInput,
}

/// What an answer holds.
#[derive(Clone, Debug)]
pub enum Said {
    Result,
    /// A result with this at the place that the pointer names.
    Holds(&'static str, Value),
    Error(i64),
    /// An error whose message has this in it.
    Says(i64, &'static str),
    /// A result or an error, by who is faster.
    Anything,
}

#[derive(Clone)]
enum Ending {
    /// It goes on, until the client ends its input.
    Lives,
    /// The daemon hangs up, and a program ends with this code.
    Ends(i32),
}

/// The text of a request; `id` and `params` as they are written.
pub fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

pub fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

impl Habit {
    pub fn of(name: &'static str) -> Self {
        Self { name, only: None, chunk: usize::MAX, steps: Vec::new(), ending: Ending::Lives }
    }

    pub fn only(mut self, framing: Framing) -> Self {
        self.only = Some(framing);
        self
    }

    pub fn in_chunks(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    pub fn say(self, frame: impl Into<String>) -> Self {
        self.together([frame.into()])
    }

    pub fn together(self, frames: impl IntoIterator<Item = String>) -> Self {
        self.then(Step::Say(frames.into_iter().collect()))
    }

    pub fn write(self, bytes: impl Into<String>) -> Self {
        self.then(Step::Write(bytes.into()))
    }

    pub fn hear(self, id: impl Into<String>, said: Said) -> Self {
        self.then(Step::Hear(id.into(), said))
    }

    /// A request and its answer.
    pub fn ask(self, id: &str, method: &str, params: &str, said: Said) -> Self {
        self.say(request(id, method, params)).hear(id, said)
    }

    pub fn wait(self, method: &'static str) -> Self {
        self.then(Step::Wait(method))
    }

    pub fn end_input(self) -> Self {
        self.then(Step::EndInput)
    }

    pub fn ends(mut self, code: i32) -> Self {
        self.ending = Ending::Ends(code);
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A WebSocket has no half that can be closed, and no bytes between messages.
    pub fn suits(&self, way: Way) -> bool {
        let of_bytes = self.steps.iter().any(|step| matches!(step, Step::EndInput | Step::Write(_)));
        self.only.is_none_or(|framing| framing == way.framing()) && !(of_bytes && way == Way::WebSocket)
    }

    /// # Panics
    /// If something else comes back.
    pub async fn play(&self, place: &Place) {
        let mut player = Player { wire: place.connect().await.in_chunks(self.chunk), heard: Vec::new() };
        for step in &self.steps {
            player.step(step, place.way.framing()).await;
        }
        let code = match self.ending {
            Ending::Lives => {
                player.step(&Step::Say(vec![request("\"last\"", "sessions.list", "{}")]), place.way.framing()).await;
                player.hear("\"last\"", &Said::Result).await;
                player.wire.end_input().await;
                0
            }
            Ending::Ends(code) => code,
        };
        while player.next("the end").await {}
        let left: Vec<&Heard> = player.heard.iter().filter(|heard| heard.frame.get("method").is_none()).collect();
        assert!(left.is_empty(), "answers that nobody asked for: {left:?}");
        if place.way.is_process() {
            let (status, said) = player.wire.exit().await;
            assert_eq!((status.code(), said.as_str()), (Some(code), ""), "its code, and what it said to people");
        }
    }
}

struct Player {
    wire: Wire,
    /// What came and was not waited for yet.
    heard: Vec<Heard>,
}

#[derive(Debug)]
struct Heard {
    /// As it was written.
    id: Option<String>,
    frame: Value,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl Player {
    async fn step(&mut self, step: &Step, framing: Framing) {
        match step {
            Step::Say(frames) => {
                let bytes: String = frames.iter().map(|frame| framing.encode(frame)).collect();
                self.wire.write_raw(bytes.as_bytes()).await;
            }
            Step::Write(bytes) => self.wire.write_raw(bytes.as_bytes()).await,
            Step::Hear(id, said) => self.hear(id, said).await,
            Step::Wait(method) => {
                self.until(method, |heard| heard.frame["method"] == *method).await;
            }
            Step::EndInput => self.wire.end_input().await,
        }
    }

    async fn hear(&mut self, id: &str, said: &Said) {
        let shown: String = id.chars().take(80).collect();
        let is_answer = |heard: &Heard| match (&heard.id, heard.frame.get("method")) {
            (Some(token), None) => token == id,
            (None, None) => id == "null",
            _ => false,
        };
        let frame = self.until(&format!("the answer {shown}"), is_answer).await.frame;
        let fits = match said {
            Said::Anything => true,
            Said::Result => frame.get("result").is_some(),
            Said::Holds(place, value) => frame["result"].pointer(place) == Some(value),
            Said::Error(code) => frame["error"]["code"] == *code,
            Said::Says(code, text) => {
                frame["error"]["code"] == *code && frame["error"]["message"].to_string().contains(text)
            }
        };
        assert!(fits, "the answer {shown} should be {said:?}, and is {frame}");
    }

    async fn until(&mut self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            if let Some(at) = self.heard.iter().position(&wanted) {
                return self.heard.remove(at);
            }
            let more = self.next(what).await;
            assert!(more, "the daemon hung up before {what}, after {:?}", self.heard);
        }
    }

    /// Whether there was another frame.
    async fn next(&mut self, what: &str) -> bool {
        let read = timeout(PATIENCE, self.wire.read_text()).await;
        let read = read.unwrap_or_else(|_| panic!("{what} does not come, after {:?}", self.heard));
        let Some(text) = read else { return false };
        let frame: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        check_form(&frame);
        check_numbers(&frame);
        let envelope: Envelope = serde_json::from_str(&text).expect("it is JSON");
        self.heard.push(Heard { id: envelope.id.map(|id| id.get().to_owned()), frame });
        true
    }
}
