//! The daemon's own sign-in to ChatGPT: the device flow, and the tokens that come of it, kept in a file and refreshed.
//!
//! ```text
//!  flow      when to ask the issuer, and what becomes of a sign-in: a plain value, with time passed in
//!  issuer    what is asked of it, in either dialect: OpenAI's own, or RFC 8628
//!  wire      what it answers
//!  store     the file, and the lock beside it
//!  freshness when tokens are to be refreshed: a decision
//!  own       the sign-in in use: read, refreshed, ended
//! ```

mod flow;
mod freshness;
mod issuer;
mod own;
mod store;
mod wire;

#[cfg(test)]
mod tests;

pub use flow::{Due, Ended, Flow, View};
pub use issuer::{Issuer, Pending};
pub use own::{Fresh, OwnLogin, SignedOut};
pub use store::is_there;
pub use wire::Polled;
