//! One client of HTTP, as the methods see it: a connection that holds for one request, or for one stream of events.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Host;
use super::envelope::Failure;
use crate::api::Via;
use crate::rpc::{Id, Message, frame};
use crate::transport::{self, Inbound, Line};

/// Frames under way; the loop that serves the connection has its own queue behind it.
pub const FRAMES: usize = 64;

/// Dropping it hangs up.
pub struct Exchange {
    line: Line,
    json_depth: usize,
    asked: u64,
    /// What came while an answer was waited for.
    early: VecDeque<Message>,
}

/// What becomes of that which is not the answer.
#[derive(Clone, Copy, PartialEq)]
pub enum Beside {
    Drop,
    Keep,
}

impl Exchange {
    pub fn open(host: &Arc<dyn Host>) -> Self {
        let (transport, line) = transport::channel(FRAMES);
        let json_depth = host.limits().json_depth;
        tokio::spawn(Arc::clone(host).serve(transport, Via::Http));
        Self { line, json_depth, asked: 0, early: VecDeque::new() }
    }

    /// A frame as the client wrote it; whoever knows that it is a request waits for [`Self::answer`].
    pub async fn send(&self, frame: String) -> Result<(), Failure> {
        self.line.inbound.send(Inbound::Frame(frame)).await.map_err(|_| Failure::gone())
    }

    /// The text of the next answer. What else comes is dropped.
    pub async fn answer(&mut self) -> Result<String, Failure> {
        loop {
            let text = self.line.outbound.recv().await.ok_or_else(Failure::gone)?;
            if let Ok(Message::Response { .. } | Message::StrayError) = frame::parse(&text, self.json_depth) {
                return Ok(text);
            }
        }
    }

    /// Calls a method. The parameters, which may be long, are gone once they are sent.
    pub async fn ask(&mut self, method: &str, params: Value, beside: Beside) -> Result<Box<RawValue>, Failure> {
        self.asked += 1;
        let id = Id::ours(self.asked);
        let text = params.to_string();
        drop(params);
        self.send(frame::request(&id, method, &text)).await?;
        drop(text);
        loop {
            match self.receive().await.ok_or_else(Failure::gone)? {
                Message::Response { id: answered, outcome } if answered == id => {
                    return outcome.map_err(|error| Failure::of(&error));
                }
                message if beside == Beside::Keep => self.early.push_back(message),
                _ => {}
            }
        }
    }

    /// What comes next without being asked for; none once the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        match self.early.pop_front() {
            Some(message) => Some(message),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Option<Message> {
        loop {
            let text = self.line.outbound.recv().await?;
            // What we wrote ourselves can be read.
            if let Ok(message) = frame::parse(&text, usize::MAX) {
                return Some(message);
            }
        }
    }
}
