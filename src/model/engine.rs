//! The port behind which something stands that runs whole turns by itself, with a history, tools and approvals of its own.
//!
//! It is not squeezed into [`Provider`](super::Provider), which completes one message at a time. Helm gives it the
//! conversation and the skills, decides about danger, keeps what comes of it, and tells whoever watches. The engine
//! knows nothing of modes beyond what [`Task`] says, and runs no skill.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Block, Delta, Message, Mode, ProviderError, ToolCall, ToolSpec, Usage};

/// The engine's own record of a conversation, kept with the session it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    pub id: String,
    /// What it was started with that cannot be changed afterwards, as a digest; of another one a new thread is started.
    /// Empty for one that the user named: that is used whatever it was started with.
    pub fingerprint: String,
    /// The id of the last message of the session that the thread knows of, with all that stands before it.
    pub seen: u64,
}

impl Thread {
    /// One that the user knows, and that knows nothing of the session.
    pub fn named(id: String) -> Self {
        Self { id, fingerprint: String::new(), seen: 0 }
    }
}

/// Where a turn takes place.
#[derive(Clone, Debug)]
pub struct Place {
    pub session: String,
    /// A session has two threads at most: one that only proposes, and one that works.
    pub mode: Mode,
    /// The one kept for the session and mode, if there is one.
    pub thread: Option<Thread>,
    /// None for the engine's own choice, or the one that the thread had.
    pub model: Option<String>,
    /// Where the client is; none for the engine's own choice.
    pub cwd: Option<PathBuf>,
    /// What Helm tells a model that completes messages.
    pub system: String,
    /// The skills; none where nothing may run.
    pub tools: Arc<[ToolSpec]>,
}

/// One turn.
#[derive(Clone, Debug)]
pub struct Task {
    pub place: Place,
    /// As much of the session as fits, oldest first, each message with its id: it ends with what is to be answered,
    /// which is something that the user said, or results of calls that were decided meanwhile.
    pub messages: Vec<(u64, Message)>,
    /// How many of them, from the first on, the thread of the place knows of. Another thread, which is started where
    /// that one is lost, knows of none.
    pub known: usize,
}

#[async_trait]
pub trait Engine: Send + Sync {
    /// The plugin's name.
    fn id(&self) -> &str;

    /// What is used when nobody names a model, if that is known.
    fn default_model(&self) -> Option<String>;

    /// Makes the thread of a place ready ahead of need; gives the thread if it is another than the one in `place`.
    async fn warm(&self, place: Place) -> Option<Thread>;

    /// Begins a turn. A turn that was left in the thread is stopped first.
    async fn begin(&self, task: Task) -> Result<Box<dyn Run>, ProviderError>;

    /// Takes up the turn that waits in the thread for an answer, after this process or the way to the engine was gone.
    /// `Run::next` tells again of what it waits for. None if nothing waits there any more.
    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError>;
}

/// A turn at work. One that is dropped is stopped, unless it was left.
#[async_trait]
pub trait Run: Send {
    /// What happens next. Dropping the future loses nothing. Not called again after [`Happening::Ended`] or an error.
    async fn next(&mut self) -> Result<Happening, ProviderError>;

    /// Answers a [`Happening::Call`] or a [`Happening::Asked`] by its id. One that nobody waits for any more is no error;
    /// after an error the turn has failed.
    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError>;

    /// Adds to what is asked, while the turn runs. What came of it is a [`Happening::Steered`] of this number, which is
    /// told before the end is.
    fn steer(&mut self, number: u64, content: &[Block]);

    /// Asks for the end, which `next` then gives, soon.
    async fn interrupt(&mut self);

    /// Lets go of a turn that waits for an answer, so that it can be taken up later.
    async fn leave(self: Box<Self>);
}

#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The session has this thread from now on.
    Thread(Thread),
    /// The model that answers.
    Model(String),
    /// What the model says: blocks that start, grow and stop, of text and of reasoning alone. Indexes go on counting for
    /// the whole turn.
    Said(Delta),
    /// What was said in the blocks that are open is void, for this reason; it may be said anew.
    Void(String),
    /// A call of the model has ended, and has cost this.
    Responded(Usage),
    /// A skill is called; the turn waits for the answer.
    Call(ToolCall),
    /// The engine wants leave for something of its own; the turn waits for the answer.
    Asked(Asked),
    /// What was called or asked has been answered elsewhere, or is no longer wanted.
    Settled {
        id: String,
    },
    /// The engine has done something of its own.
    Did(Deed),
    /// What came of something that was added to what is asked.
    Steered {
        number: u64,
        outcome: Steered,
    },
    /// For the user's attention.
    Warning(String),
    Ended(Ending),
}

/// Something of the engine's own that it may do only with leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// As [`Deed::id`] when it is done.
    pub id: String,
    /// What kind of thing, in the way of a skill's id: `codex-command`, `codex-file-change`.
    pub name: String,
    pub input: Value,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    pub id: String,
    pub name: String,
    pub input: Value,
    pub outcome: Result<Value, String>,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What a skill gave.
    Result {
        text: String,
        is_error: bool,
    },
    Allow,
    Deny,
}

/// With a reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steered {
    /// It is part of the turn.
    Taken,
    /// It is not, and never will be.
    Refused(String),
    /// It may be part of the turn, or not.
    Unsure(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Done,
    Interrupted,
}
