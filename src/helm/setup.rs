//! What the configuration makes of Helm. A turn keeps what it began with.

use std::sync::Arc;
use std::time::Duration;

use super::prompt;
use super::route::Routes;
use crate::model::{Mode, Place, Thread, ToolSpec};
use crate::skills::Registry;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Tokens of history sent with a call, estimated.
    pub history_tokens: u32,
    /// Bytes of a skill's result that the model reads.
    pub tool_result_bytes: usize,
    pub approval_timeout: Duration,
    /// Turns of one session that may wait. That of the start holds.
    pub queued_turns: usize,
    /// Events kept of a session. That of the start holds.
    pub buffered_events: usize,
}

#[derive(Clone)]
pub struct Setup {
    pub skills: Arc<Registry>,
    pub routes: Routes,
    pub settings: Settings,
}

impl Setup {
    /// Where turns of a session take place in an engine.
    pub fn place(&self, session: &str, mode: Mode, thread: Option<Thread>, model: Option<String>) -> Place {
        let system = prompt::system(mode, self.skills.specs());
        Place { session: session.to_owned(), mode, thread, model, cwd: None, system, tools: self.tools(mode) }
    }

    /// What a model may call.
    pub fn tools(&self, mode: Mode) -> Arc<[ToolSpec]> {
        if mode == Mode::Propose { Arc::default() } else { self.skills.tools() }
    }
}
