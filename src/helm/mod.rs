//! Helm, the agent: says something to a model, runs the skills it asks for as far as the mode allows, and goes on
//! until the model is done.
//!
//! [`Conductor`] is the way in. A turn's decisions are the plain value `turn::Turn`; the runner beside it does what
//! they ask for.

mod action_block;
mod answer;
mod approval;
mod attempts;
mod brought;
mod conductor;
mod ending;
mod engine_calls;
mod engine_said;
#[cfg(test)]
mod engine_tests;
mod engine_turn;
mod error;
mod event;
mod history;
mod holds;
mod id;
mod lanes;
mod log;
mod offered;
mod places;
mod prompt;
mod request;
mod route;
mod runner;
mod running;
mod setup;
mod spans;
mod start;
mod steers;
mod take_up;
mod tools;
mod turn;
mod warm;

pub use action_block::parse as parse_action_blocks;
pub use approval::{ApprovalRequest, Approver, Decision};
pub use conductor::Conductor;
pub use error::HelmError;
pub use event::Event;
pub use id::{millis, new_id, now_ms};
pub use log::{Batch, Counts, Entry, EventLog, Logs, Reader, Watch};
pub use request::{Action, Approve, Attempt, Halted, Message, Model, StopReason, TraceEntry, TurnOutcome, TurnResult};
pub use route::{Route, Routes};
pub use running::{Running, TurnHandle};
pub use setup::{Settings, Setup};
