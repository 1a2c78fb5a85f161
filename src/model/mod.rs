//! The narrow waist: what a conversation with a language model is, whoever the vendor.
//!
//! Nothing here knows a wire format. A dialect that needs more than these types say keeps it in an
//! [`Opaque`] value, which travels with the block it belongs to and goes back to the same dialect verbatim.

mod client_place;
mod completion;
mod day;
mod delta;
mod engine;
mod error;
mod fold;
mod ledger;
mod message;
mod mode;
mod provider;
mod schema;
mod tool;
mod usage;

pub use client_place::{ClientPlace, TurnName};
pub use completion::{Completion, Metadata, Stop};
pub use day::{Day, NoDay};
pub use delta::{BlockStart, Delta};
pub use engine::{Answer, Asked, Deed, Ending, Engine, Happening, Place, Run, Steered, Task, Thread};
pub use error::{ErrorKind, ProviderError};
pub use fold::Fold;
pub use ledger::{Ledger, LedgerError, LedgerRow, Tally};
pub use message::{Block, ImageSource, Message, Opaque, Role};
pub use mode::Mode;
pub use provider::{DeltaStream, ModelInfo, Provider, Request};
pub use schema::Schema;
pub use tool::{ToolCall, ToolChoice, ToolResult, ToolSpec};
pub use usage::{Usage, usd};
