//! What this runtime can say about itself: what it is set up with, whether it is well, which plugins would help, and
//! which settings there are. It reads, and changes nothing; no secret is ever in a result.

mod health;
mod introspect;
mod state_dir;
mod suggest;
mod template;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Health, Plugin, Readiness, is_enabled, offline};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub const ID: &str = "admin";

/// `plugins` are the others, already built; itself and `offline` are known to it.
pub fn build(config: &Config, plugins: &[Plugin]) -> Plugin {
    let mut admin = Plugin {
        id: ID,
        description: "Says what this runtime is set up with, whether it is well, and what would help.",
        enabled: is_enabled(config, ID, true),
        readiness: Readiness::Configured,
        hosts: Vec::new(),
        skills: Vec::new(),
        provider: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    };
    let mut facts: Vec<Fact> = plugins.iter().map(Fact::of).collect();
    // It ranks these skills, so it cannot be built before them; its face needs no catalogue.
    facts.push(Fact::of(&offline::build(config, &[])));
    facts.push(Fact { skills: ACTIONS.iter().map(|action| action.id.to_owned()).collect(), ..Fact::of(&admin) });
    let runtime = Arc::new(Runtime { config: config.clone(), facts });
    admin.skills = ACTIONS.iter().map(|action| action.skill(&runtime)).collect();
    admin
}

/// What the skills look at.
struct Runtime {
    config: Config,
    facts: Vec<Fact>,
}

/// A plugin without its powers.
struct Fact {
    id: &'static str,
    description: &'static str,
    enabled: bool,
    /// Whether it can complete a conversation.
    completes: bool,
    readiness: Readiness,
    hosts: Vec<HostPattern>,
    skills: Vec<String>,
}

/// One skill. The descriptions are what models and the offline ranking choose by.
struct Action {
    id: &'static str,
    description: &'static str,
    tags: &'static [&'static str],
    /// Its one required property and what that is; none for a skill without input.
    needs: Option<(&'static str, &'static str)>,
    run: fn(&Runtime, &Value) -> Value,
}

const ACTIONS: [Action; 4] = [
    Action {
        id: "admin-introspect",
        description: "List the plugins of this runtime, the skills they bring, and the configuration in force.",
        tags: &["list", "plugins", "skills", "configuration", "settings", "enabled"],
        needs: None,
        run: |runtime, _| introspect::run(runtime),
    },
    Action {
        id: "admin-health-check",
        description: "Check the health of this runtime: plugins, configuration, state directory.",
        tags: &["health", "healthy", "diagnose", "problems", "status"],
        needs: None,
        run: |runtime, _| health::run(runtime),
    },
    Action {
        id: "admin-suggest-plugins",
        description: "Suggest which plugins to use for a goal, and what each needs to be set up.",
        tags: &["setup", "advice", "recommend"],
        needs: Some(("goal", "What is to be reached, in a few words.")),
        run: suggest::run,
    },
    Action {
        id: "admin-env-template",
        description: "Write a commented template of every environment setting, without any values of secrets.",
        tags: &["environment", "dotenv", "settings", "template"],
        needs: None,
        run: |_, _| template::run(),
    },
];

impl Action {
    fn skill(&'static self, runtime: &Arc<Runtime>) -> Skill {
        let properties = match self.needs {
            Some((name, about)) => json!({ name: { "type": "string", "minLength": 1, "description": about } }),
            None => json!({}),
        };
        let required: Vec<&str> = self.needs.iter().map(|(name, _)| *name).collect();
        let spec = SkillSpec {
            id: self.id.to_owned(),
            description: self.description.to_owned(),
            plugin: ID.to_owned(),
            tags: self.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            input_schema: json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            }),
            dangerous: false,
        };
        Skill::new(spec, ActionHandler { action: self, runtime: Arc::clone(runtime) })
    }
}

struct ActionHandler {
    action: &'static Action,
    runtime: Arc<Runtime>,
}

#[async_trait]
impl Handler for ActionHandler {
    async fn run(&self, input: Value) -> Result<Value, SkillError> {
        Ok((self.action.run)(&self.runtime, &input))
    }
}

impl Fact {
    fn of(plugin: &Plugin) -> Self {
        Self {
            id: plugin.id,
            description: plugin.description,
            enabled: plugin.enabled,
            completes: plugin.provider.is_some(),
            readiness: plugin.readiness.clone(),
            hosts: plugin.hosts.clone(),
            skills: plugin.skills.iter().map(|skill| skill.spec().id.clone()).collect(),
        }
    }

    fn is_configured(&self) -> bool {
        self.readiness == Readiness::Configured
    }
}
