//! Conversations that outlive the process.

mod row;
mod sqlite;
mod store;

pub use row::{
    ActionRow, ActionState, Context, MessageRow, SessionRow, ThreadKind, Threads, TurnRow, TurnSettings, TurnState,
};
pub use sqlite::Sqlite;
pub use store::{Store, StoreError, Write};
