//! Plugins: named ways to a model or a service. One file each says its settings, hosts, skills and health, and
//! builds its provider. Whether one is enabled and whether it is configured are two facts, and both are shown.

pub mod admin;
pub mod anthropic;
pub mod cf_ai_gateway;
mod chat_skill;
pub mod cloudflare;
pub mod codex;
pub mod command;
mod count_skill;
mod gate;
mod health;
mod load;
mod local_servers;
mod models_skill;
pub mod offline;
pub mod openai_compatible;
mod spend;
mod status_skill;
#[cfg(test)]
mod tests;
mod traced;
pub mod workers_ai;

pub use codex::Way as CodexWay;
pub use command::{Child, Children};
pub use gate::{EngineGate, Gate};
pub use health::{Health, LinkState, Standing};
pub use load::{Kept, LoadError, Loaded, load, load_again};
pub use local_servers::{LocalServer, LocalServers};
pub use spend::{Allowance, Meter, Today};

use std::sync::Arc;

use crate::config::Config;
use crate::policy::HostPattern;
use crate::skills::Skill;

/// One plugin as the configuration leaves it.
#[derive(Clone)]
pub struct Plugin {
    pub id: &'static str,
    pub description: &'static str,
    pub enabled: bool,
    /// As the configuration leaves it; [`Self::readiness_now`] is what counts.
    pub readiness: Readiness,
    /// Where its own endpoints are.
    pub hosts: Vec<HostPattern>,
    /// Offered while it is enabled.
    pub skills: Vec<Skill>,
    /// There if it can complete a conversation and is configured.
    pub provider: Option<Arc<Gate>>,
    /// There if it runs whole turns and is configured.
    pub engine: Option<Arc<EngineGate>>,
    /// Why it can only propose, if so.
    pub propose_only: Option<String>,
    /// What may stand before the `/` of a model's name that this plugin takes; empty if anything may.
    pub vendors: Vec<&'static str>,
    /// How it fared when it was last asked.
    pub health: Health,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    Configured,
    /// `missing` names settings, and none if it is a sign-in that is missing; `hint` is one sentence on how to set it up.
    Missing {
        missing: Vec<&'static str>,
        hint: String,
    },
}

impl Plugin {
    pub fn readiness_now(&self) -> Readiness {
        self.readiness.now(self.provider.as_deref())
    }
}

impl Readiness {
    /// What is configured may still lack a sign-in, which comes and goes while the daemon runs.
    fn now(&self, provider: Option<&Gate>) -> Self {
        match provider.and_then(|provider| provider.lack()) {
            Some(hint) if *self == Self::Configured => Self::Missing { missing: Vec::new(), hint },
            _ => self.clone(),
        }
    }

    /// How to set it up, if it is not.
    pub fn hint(&self) -> &str {
        match self {
            Self::Configured => "",
            Self::Missing { hint, .. } => hint,
        }
    }

    /// What is missing, as a sentence has it.
    pub fn lack(&self) -> Option<String> {
        match self {
            Self::Configured => None,
            Self::Missing { missing, .. } if missing.is_empty() => Some("a sign-in".to_owned()),
            Self::Missing { missing, .. } => Some(missing.join(" and ")),
        }
    }
}

/// `ENABLED_PLUGINS` to the letter when it is set; otherwise what is configured is enabled.
pub(crate) fn is_enabled(config: &Config, id: &str, configured: bool) -> bool {
    config.enabled_plugins.as_ref().map_or(configured, |enabled| enabled.iter().any(|name| name == id))
}
