//! What runs and what has been done, as plain numbers: for those who draw curves of it. Nothing in it is private.

use std::collections::BTreeMap;

use super::{App, Via, daemon};
use crate::helm;
use crate::model::Tally;
use crate::plugins::Plugin;

/// Sums are since the start of the process, but for `spent`.
#[derive(Debug, Default)]
pub struct Figures {
    pub version: &'static str,
    pub uptime_ms: u64,
    /// Bytes, where the system tells.
    pub memory: Option<u64>,
    /// By the way on which they came.
    pub clients: BTreeMap<&'static str, u64>,
    pub running: u64,
    pub turns: u64,
    pub failed_turns: u64,
    pub events: u64,
    /// By provider.
    pub calls: BTreeMap<&'static str, Calls>,
    /// By provider, of all processes and days; none if it cannot be read.
    pub spent: Option<BTreeMap<String, Tally>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub made: u64,
    pub failed: u64,
}

/// What is told of a daemon that answers, and costs next to nothing to find out.
pub struct Vitals {
    pub version: &'static str,
    /// Unix milliseconds.
    pub started_at: u64,
    /// Those that are enabled.
    pub plugins: Vec<&'static str>,
    pub skills: u64,
    /// Whether sessions are kept: where they cannot be read, neither can what was spent.
    pub keeps: bool,
}

/// A plugin that is enabled.
pub struct PluginFace {
    pub id: &'static str,
    pub description: &'static str,
    /// What it can do: its skills, and `chat` if it completes conversations.
    pub capabilities: Vec<String>,
}

impl App {
    pub async fn figures(&self) -> Figures {
        let mut clients: BTreeMap<&'static str, u64> = WAYS.iter().map(|way| (*way, 0)).collect();
        for connection in self.connections() {
            *clients.entry(way(connection.via)).or_default() += 1;
        }
        let counts = self.conductor.counts();
        let called = |plugin: &Plugin| {
            let (made, failed) = plugin.health.counts();
            (plugin.id, Calls { made, failed })
        };
        Figures {
            version: self.facts.version,
            uptime_ms: helm::now_ms().saturating_sub(self.facts.started_at),
            memory: daemon::resident_memory(),
            clients,
            running: self.conductor.all_running().len() as u64,
            turns: counts.turns,
            failed_turns: counts.failed,
            events: counts.events,
            calls: self
                .setup()
                .plugins
                .iter()
                .filter(|plugin| plugin.enabled && plugin.completes())
                .map(called)
                .collect(),
            spent: self.meter.sums().await.ok(),
        }
    }

    pub async fn vitals(&self) -> Vitals {
        Vitals {
            version: self.facts.version,
            started_at: self.facts.started_at,
            plugins: self.setup().plugins.iter().filter(|plugin| plugin.enabled).map(|plugin| plugin.id).collect(),
            skills: self.conductor.setup().skills.specs().count() as u64,
            keeps: self.meter.today().await.is_ok(),
        }
    }

    pub fn faces(&self) -> Vec<PluginFace> {
        let face = |plugin: &Plugin| {
            let chat = plugin.completes().then(|| "chat".to_owned());
            let skills = plugin.skills.iter().map(|skill| skill.spec().id.clone());
            PluginFace {
                id: plugin.id,
                description: plugin.description,
                capabilities: chat.into_iter().chain(skills).collect(),
            }
        };
        self.setup().plugins.iter().filter(|plugin| plugin.enabled).map(face).collect()
    }
}

const WAYS: [&str; 5] = ["stdio", "memory", "unix", "websocket", "http"];

pub(super) fn way(via: Via) -> &'static str {
    match via {
        Via::Stdio => "stdio",
        Via::Memory => "memory",
        Via::Unix { .. } => "unix",
        Via::WebSocket => "websocket",
        Via::Http => "http",
    }
}
