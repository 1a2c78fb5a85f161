//! What this runtime can say about itself: what it is set up with, whether it is well, which plugins would help, which
//! settings there are, and what calls of models have cost. It reads, and changes nothing; no secret is ever in a result.

mod cost;
mod health;
mod introspect;
mod state_dir;
mod suggest;
mod template;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Health, Meter, Plugin, Readiness, is_enabled, offline};
use crate::config::Config;
use crate::model::ClientPlace;
use crate::policy::HostPattern;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub const ID: &str = "admin";

/// `plugins` are the others, already built; itself and `offline` are known to it.
pub fn build(config: &Config, plugins: &[Plugin], meter: &Meter) -> Plugin {
    let mut admin = Plugin {
        id: ID,
        description: "Says what this runtime is set up with, whether it is well, what would help, and what it has spent.",
        enabled: is_enabled(config, ID, true),
        readiness: Readiness::Configured,
        hosts: Vec::new(),
        skills: Vec::new(),
        provider: None,
        engine: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    };
    let mut facts: Vec<Fact> = plugins.iter().map(Fact::of).collect();
    // It ranks these skills, so it cannot be built before them; its face needs no catalogue.
    facts.push(Fact::of(&offline::build(config, &[])));
    facts.push(Fact { skills: ACTIONS.iter().map(|action| action.id.to_owned()).collect(), ..Fact::of(&admin) });
    let runtime = Arc::new(Runtime { config: config.clone(), facts, meter: meter.clone() });
    admin.skills = ACTIONS.iter().map(|action| action.skill(&runtime)).collect();
    admin
}

/// What the skills look at.
struct Runtime {
    config: Config,
    facts: Vec<Fact>,
    meter: Meter,
}

/// A plugin without its powers.
struct Fact {
    id: &'static str,
    description: &'static str,
    enabled: bool,
    /// Whether it can complete a conversation.
    completes: bool,
    /// Asked each time, for a sign-in comes and goes.
    readiness: Box<dyn Fn() -> Readiness + Send + Sync>,
    hosts: Vec<HostPattern>,
    skills: Vec<String>,
}

/// One skill. The descriptions are what models and the offline ranking choose by.
struct Action {
    id: &'static str,
    description: &'static str,
    tags: &'static [&'static str],
    /// Its properties, each a text and required, and what they are.
    needs: &'static [(&'static str, &'static str)],
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// Needs only what is known.
    Tell(fn(&Runtime, &Value) -> Value),
    /// Has to read the ledger.
    Read(for<'a> fn(&'a Runtime, &'a Value) -> Reading<'a>),
}

type Reading<'a> = BoxFuture<'a, Result<Value, SkillError>>;

const ACTIONS: [Action; 7] = [
    Action {
        id: "admin-introspect",
        description: "List the plugins of this runtime, the skills they bring, and the configuration in force.",
        tags: &["list", "plugins", "skills", "configuration", "settings", "enabled"],
        needs: &[],
        run: Run::Tell(|runtime, _| introspect::run(runtime)),
    },
    Action {
        id: "admin-health-check",
        description: "Check the health of this runtime: plugins, configuration, state directory.",
        tags: &["health", "healthy", "diagnose", "problems", "status"],
        needs: &[],
        run: Run::Read(|runtime, _| Box::pin(async { Ok(health::run(runtime).await) })),
    },
    Action {
        id: "admin-suggest-plugins",
        description: "Suggest which plugins to use for a goal, and what each needs to be set up.",
        tags: &["setup", "advice", "recommend"],
        needs: &[("goal", "What is to be reached, in a few words.")],
        run: Run::Tell(suggest::run),
    },
    Action {
        id: "admin-env-template",
        description: "Write a commented template of every environment setting, without any values of secrets.",
        tags: &["environment", "dotenv", "settings", "template"],
        needs: &[],
        run: Run::Tell(|_, _| template::run()),
    },
    Action {
        id: "cost-today",
        description: "Tell what calls of models have cost today (UTC): dollars and tokens, by provider and model.",
        tags: &["cost", "costs", "spent", "spend", "spending", "today", "tokens", "usage", "money", "dollars"],
        needs: &[],
        run: Run::Read(|runtime, _| Box::pin(cost::today(runtime))),
    },
    Action {
        id: "cost-range",
        description: "Tell what calls of models have cost from one day to another (UTC), day by day.",
        tags: &["cost", "costs", "spent", "history", "days", "week", "month"],
        needs: &[("start", "The first day, as 2026-03-31."), ("end", "The last day, as 2026-03-31.")],
        run: Run::Read(|runtime, input| Box::pin(cost::range(runtime, input))),
    },
    Action {
        id: "cost-cap",
        description: "Tell whether the daily spend cap is reached, and how much is left of the budget.",
        tags: &["cap", "limit", "budget", "allowed", "cost"],
        needs: &[],
        run: Run::Read(|runtime, _| Box::pin(cost::cap(runtime))),
    },
];

impl Action {
    fn skill(&'static self, runtime: &Arc<Runtime>) -> Skill {
        let property = |(name, about): &(&str, &str)| {
            ((*name).to_owned(), json!({ "type": "string", "minLength": 1, "description": about }))
        };
        let properties: Map<String, Value> = self.needs.iter().map(property).collect();
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
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        match self.action.run {
            Run::Tell(tell) => Ok(tell(&self.runtime, &input)),
            Run::Read(read) => read(&self.runtime, &input).await,
        }
    }
}

impl Fact {
    fn of(plugin: &Plugin) -> Self {
        let face = plugin.clone();
        Self {
            id: plugin.id,
            description: plugin.description,
            enabled: plugin.enabled,
            completes: plugin.provider.is_some(),
            readiness: Box::new(move || face.readiness_now()),
            hosts: plugin.hosts.clone(),
            skills: plugin.skills.iter().map(|skill| skill.spec().id.clone()).collect(),
        }
    }

    fn is_configured(&self) -> bool {
        (self.readiness)() == Readiness::Configured
    }
}
