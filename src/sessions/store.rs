//! The port to the disk.

use async_trait::async_trait;

use super::{ActionRow, ActionState, Context, MessageRow, SessionRow, ThreadKind, Threads, TurnRow, TurnState};
use crate::model::{Message, Mode, Thread};

/// One change. A list of them is kept whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The session is made if it is new. Overwrites a turn of the same id.
    Turn(TurnRow),
    /// As with an action, an error if the session is not there: one that was deleted stays deleted.
    Message {
        session: String,
        turn_id: String,
        message: Message,
        provider: Option<String>,
    },
    TurnState {
        turn_id: String,
        state: TurnState,
        iterations: u32,
    },
    Action(ActionRow),
    /// Decides a held action. One that is not held any more fails the whole list, with [`StoreError::Decided`].
    Decide {
        id: String,
        state: ActionState,
    },
    /// The conversation goes on without a decision on what is held.
    Supersede {
        session: String,
    },
    LastSeq {
        session: String,
        seq: u64,
    },
    /// The session has this thread from now on, for turns of this kind; an error if the session is not there.
    Thread {
        session: String,
        mode: Mode,
        thread: Thread,
    },
    /// The thread knows of all messages of this turn that are kept by now, and of what stands before them.
    Seen {
        session: String,
        mode: Mode,
        turn_id: String,
    },
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// One sentence for the user, with the way out in it: which file, what is wrong with it.
    #[error("{0}")]
    Failed(String),
    /// Somebody else was first, perhaps in another process.
    #[error("action '{0}' has been decided elsewhere")]
    Decided(String),
}

#[async_trait]
pub trait Store: Send + Sync {
    /// When this returns, all of it survives the death of the process. Gives the ids of the messages, in order.
    async fn write(&self, writes: Vec<Write>) -> Result<Vec<u64>, StoreError>;

    /// [`Store::write`], and what [`Store::context`] gives after it, for the price of one.
    async fn write_and_read(&self, writes: Vec<Write>, session: &str, bytes: usize) -> Result<Context, StoreError>;

    /// All of it at once: what a turn reads before it calls the model.
    async fn context(&self, session: &str, bytes: usize) -> Result<Context, StoreError>;

    /// Newest first.
    async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError>;
    async fn session(&self, name: &str) -> Result<Option<SessionRow>, StoreError>;
    /// Whether there was one to delete.
    async fn delete(&self, name: &str) -> Result<bool, StoreError>;

    /// Turn by turn. With `limit` the newest that many, still in order; `before` gives those before that one only.
    async fn messages(
        &self,
        session: &str,
        limit: Option<u32>,
        before: Option<u64>,
    ) -> Result<Vec<MessageRow>, StoreError>;

    async fn turn(&self, turn_id: &str) -> Result<Option<TurnRow>, StoreError>;
    /// All turns of a session, in order of their start.
    async fn turns(&self, session: &str) -> Result<Vec<TurnRow>, StoreError>;

    /// The held actions of a session, in the order in which they came.
    async fn held(&self, session: &str) -> Result<Vec<ActionRow>, StoreError>;
    async fn action(&self, id: &str) -> Result<Option<ActionRow>, StoreError>;

    async fn threads(&self, session: &str) -> Result<Threads, StoreError>;
    /// At most so many, with their sessions, the one used last first.
    async fn threads_used_last(&self, limit: u32) -> Result<Vec<(String, ThreadKind, Thread)>, StoreError>;
}
