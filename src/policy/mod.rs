//! What may go out, and what may be seen: allowed hosts, and redaction. Pure decisions, no I/O.

mod hosts;
mod redact;

pub use hosts::{HostPattern, HostPolicy};
pub use redact::Redactor;
