//! What runs and what has been done, as plain numbers: for those who draw curves of it. Nothing in it is private.

use std::collections::BTreeMap;

use super::{App, Via, daemon};
use crate::helm;
use crate::model::{Day, Tally};
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
            calls: self.plugins.iter().filter(|plugin| plugin.enabled && plugin.completes()).map(called).collect(),
            spent: self.spent().await,
        }
    }

    async fn spent(&self) -> Option<BTreeMap<String, Tally>> {
        let rows = self.meter.rows(Day::default(), self.meter.day()).await.ok()?;
        let mut spent: BTreeMap<String, Tally> = BTreeMap::new();
        for row in rows {
            spent.entry(row.provider).or_default().add(&row.tally);
        }
        Some(spent)
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
        self.plugins.iter().filter(|plugin| plugin.enabled).map(face).collect()
    }
}

const WAYS: [&str; 5] = ["stdio", "memory", "unix", "websocket", "http"];

fn way(via: Via) -> &'static str {
    match via {
        Via::Stdio => "stdio",
        Via::Memory => "memory",
        Via::Unix { .. } => "unix",
        Via::WebSocket => "websocket",
        Via::Http => "http",
    }
}
