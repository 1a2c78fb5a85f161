//! Wire dialects: how a conversation is said to a vendor and heard from it. One folder each.

pub mod http;
pub mod retry;
pub mod sse;
pub mod upstream;
