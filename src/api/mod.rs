//! The methods of the daemon: one table, one file a namespace, and the crossing between wire and domain.

mod app;
mod approvals;
mod client_skills;
mod codex;
mod conductor;
mod connection;
mod convert;
mod daemon;
mod error;
mod figures;
mod lifecycle;
mod oauth;
mod offered;
mod params;
mod place;
mod progress;
mod providers;
mod sessions;
mod skills;
mod status;
mod subscriptions;
mod table;

pub use app::{App, AskedToStop, Facts, Reach, Redact, Reload, Reloaded, Setup};
pub use connection::{Connection, Served, Via};
pub use error::of_reason;
pub use figures::{Calls, Figures, PluginFace, Vitals};
pub use params::read_params;
pub use table::methods;
