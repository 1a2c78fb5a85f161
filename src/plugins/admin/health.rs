//! `admin-health-check`: what is wrong, how bad it is, and what to do about it.
//!
//! A fresh machine is healthy: a model that nobody set up is worth a hint, not an alarm.

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{Fact, Runtime, offline, state_dir};
use crate::plugins::Readiness;
use crate::policy::{HostPattern, HostPolicy};

#[derive(Serialize)]
pub(super) struct Issue {
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    severity: Severity,
    problem: String,
    fix: String,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Info,
    Warning,
    Error,
}

pub(super) async fn run(runtime: &Runtime) -> Value {
    let mut issues: Vec<Issue> = models(runtime).into_iter().collect();
    issues.extend(plugins(runtime));
    issues.extend(hosts(runtime));
    issues.extend(programs(runtime));
    let warnings = runtime.config.warnings.iter();
    issues.extend(warnings.map(|warning| Issue::warning(warning, "Change the configuration accordingly.")));
    issues.extend(spending(runtime).await);
    issues.extend(state_dir::check(&runtime.config.state_dir));
    let enabled: Vec<_> = runtime.facts.iter().filter(|fact| fact.enabled).map(|fact| fact.id).collect();
    json!({
        "healthy": issues.iter().all(|issue| issue.severity != Severity::Error),
        "plugins": runtime.facts.len(),
        "enabled": enabled,
        "issues": issues,
    })
}

/// Whether anything can answer, and whether a model can.
fn models(runtime: &Runtime) -> Option<Issue> {
    let completes = |fact: &&Fact| fact.enabled && fact.completes && fact.is_configured();
    let mut answering = runtime.facts.iter().filter(completes).peekable();
    if answering.peek().is_none() {
        let fix = "Add one of them to ENABLED_PLUGINS, at least `offline`, or unset it.";
        return Some(Issue::error("No plugin that is enabled can answer a request.", fix));
    }
    if answering.any(|fact| fact.id != offline::ID) {
        return None;
    }
    let fix = "Set ANTHROPIC_API_KEY, OPENAI_API_KEY, or OPENAI_COMPATIBLE_URL for a local server; \
               `open-think providers` lists every way.";
    Some(Issue::info("No model is configured; requests are answered offline, from the skill catalogue.", fix))
}

/// What `ENABLED_PLUGINS` names and this runtime cannot give.
fn plugins(runtime: &Runtime) -> Vec<Issue> {
    let known = || runtime.facts.iter().map(|fact| fact.id).collect::<Vec<_>>().join(", ");
    let named = runtime.config.enabled_plugins.iter().flatten();
    let issue = |name: &String| match runtime.facts.iter().find(|fact| fact.id == name) {
        None => {
            let problem = format!("ENABLED_PLUGINS names '{name}', which is no plugin.");
            Some(Issue::warning(&problem, &format!("The plugins are {}.", known())))
        }
        Some(fact) => match (fact.readiness)() {
            readiness @ Readiness::Missing { .. } => {
                let problem = format!("{name} is enabled but lacks {}.", readiness.lack().unwrap_or_default());
                Some(Issue::warning(&problem, readiness.hint()).of(name))
            }
            Readiness::Configured => None,
        },
    };
    named.filter_map(issue).collect()
}

/// Plugins that `ALLOWED_HOSTS` cuts off from their own endpoints.
fn hosts(runtime: &Runtime) -> Vec<Issue> {
    let Some(allowed) = &runtime.config.allowed_hosts else { return Vec::new() };
    let patterns: Vec<HostPattern> = allowed.iter().filter_map(|host| host.parse().ok()).collect();
    let policy = HostPolicy::new(patterns);
    let needed = runtime.facts.iter().filter(|fact| fact.enabled);
    let needed = needed.flat_map(|fact| fact.hosts.iter().map(|host| (fact.id, host.to_string())));
    let refused = needed.filter(|(_, host)| {
        let url = Url::parse(&format!("https://{host}/"));
        url.is_ok_and(|url| policy.check(&url).is_err())
    });
    let issue = |(plugin, host): (&str, String)| {
        let problem = format!("{plugin} needs the host {host}, which ALLOWED_HOSTS does not name.");
        Issue::warning(&problem, &format!("Add {host} to ALLOWED_HOSTS, or unset it.")).of(plugin)
    };
    refused.map(issue).collect()
}

/// Programs given by their path can be looked for without running them.
fn programs(runtime: &Runtime) -> Vec<Issue> {
    let programs = runtime.config.skills.iter().filter_map(|skill| Some((&skill.id, skill.command.first()?)));
    let missing = programs.filter(|(_, program)| program.starts_with('/') && !std::path::Path::new(program).is_file());
    let issue = |(id, program): (&String, &String)| {
        let fix = format!("Correct `command` of the skill {id} in the configuration file, or install the program.");
        Issue::warning(&format!("The skill {id} starts '{program}', which is not there."), &fix).of("command")
    };
    missing.map(issue).collect()
}

/// What keeps spending from being counted, and the daily cap from being kept.
async fn spending(runtime: &Runtime) -> Option<Issue> {
    let capped = runtime.config.spend.daily_cap_nano_usd.is_some();
    let day = runtime.meter.day();
    let rows = match runtime.meter.rows(day, day).await {
        Ok(rows) => rows,
        Err(error) if !capped => {
            let problem = format!("What is spent can neither be read nor written down: {error}");
            return Some(Issue::error(&problem, "Mend that; until then calls of models are not counted for good."));
        }
        Err(error) => {
            let problem = format!("What was spent today cannot be read, so no model is called: {error}");
            return Some(Issue::error(&problem, "Mend that, or unset DAILY_SPEND_CAP_USD."));
        }
    };
    let unpriced = rows.iter().filter(|row| capped && row.tally.unpriced_calls > 0);
    let names: Vec<String> = unpriced.map(|row| format!("{}/{}", row.provider, row.model)).collect();
    if names.is_empty() {
        return None;
    }
    let problem = "Calls were made today of models without a price: what they cost does not count towards the cap.";
    Some(Issue::warning(problem, &format!("Add a [[price]] table for {}.", names.join(", "))))
}

impl Issue {
    fn new(severity: Severity, problem: &str, fix: &str) -> Self {
        Self { plugin: None, severity, problem: problem.to_owned(), fix: fix.to_owned() }
    }

    fn info(problem: &str, fix: &str) -> Self {
        Self::new(Severity::Info, problem, fix)
    }

    pub(super) fn warning(problem: &str, fix: &str) -> Self {
        Self::new(Severity::Warning, problem, fix)
    }

    pub(super) fn error(problem: &str, fix: &str) -> Self {
        Self::new(Severity::Error, problem, fix)
    }

    fn of(mut self, plugin: &str) -> Self {
        self.plugin = Some(plugin.to_owned());
        self
    }
}
