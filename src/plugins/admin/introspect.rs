//! `admin-introspect`: the plugins and the configuration as they are in force.

use serde_json::{Value, json};

use super::{Fact, Runtime};
use crate::plugins::Readiness;

pub(super) fn run(runtime: &Runtime) -> Value {
    let config = &runtime.config;
    let needed = || {
        let hosts = runtime.facts.iter().filter(|fact| fact.enabled).flat_map(|fact| &fact.hosts);
        let mut hosts: Vec<String> = hosts.map(ToString::to_string).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    };
    let mut shown = json!({
        "file": config.file,
        "stateDir": config.state_dir,
        "allowedHosts": config.allowed_hosts.clone().unwrap_or_else(needed),
        "maxRetries": config.http.max_retries,
        "confirmDangerous": config.helm.confirm_dangerous,
        "log": config.log.filter,
    });
    if let Some(model) = &config.model_default {
        shown["modelDefault"] = json!(model);
    }
    if let Some(enabled) = &config.enabled_plugins {
        shown["enabledPlugins"] = json!(enabled);
    }
    json!({ "plugins": runtime.facts.iter().map(plugin).collect::<Vec<_>>(), "config": shown })
}

fn plugin(fact: &Fact) -> Value {
    let readiness = (fact.readiness)();
    let mut shown = json!({
        "id": fact.id,
        "description": fact.description,
        "enabled": fact.enabled,
        "configured": readiness == Readiness::Configured,
        "skills": fact.skills,
    });
    if let Readiness::Missing { missing, hint } = &readiness {
        shown["missing"] = json!(missing);
        shown["hint"] = json!(hint);
    }
    shown
}
