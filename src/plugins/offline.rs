//! The plugin that is always there: answers from the skill catalogue, without a model or a network.

use std::sync::Arc;

use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::providers::offline::{Entry, Offline};
use crate::skills::SkillSpec;

pub const ID: &str = "offline";

/// Built last: `plugins` are all the others, whose skills it ranks.
pub fn build(config: &Config, plugins: &[Plugin]) -> Plugin {
    let skills = plugins.iter().filter(|plugin| plugin.enabled).flat_map(|plugin| &plugin.skills);
    let catalogue = skills.map(|skill| entry(skill.spec())).collect();
    let provider = Gate::new(Arc::new(Offline::new(catalogue)));
    Plugin {
        id: ID,
        description: "Finds and runs skills by the words of a request, without a model.",
        enabled: is_enabled(config, ID, true),
        readiness: Readiness::Configured,
        hosts: Vec::new(),
        skills: Vec::new(),
        provider: Some(provider),
        engine: None,
        propose_only: None,
        // It has no models.
        vendors: vec![ID],
        health: Health::default(),
    }
}

fn entry(spec: &SkillSpec) -> Entry {
    Entry {
        id: spec.id.clone(),
        description: spec.description.clone(),
        tags: spec.tags.clone(),
        input_schema: spec.input_schema.clone(),
        dangerous: spec.dangerous,
    }
}
