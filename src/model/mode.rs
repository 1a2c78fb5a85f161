//! How far an agent may go on its own.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan only.
    #[default]
    Propose,
    /// Run safe skills, hold dangerous ones.
    Selective,
    /// Run everything.
    Auto,
}
