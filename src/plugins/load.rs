//! All plugins of a configuration, and what may be reached for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::{
    Children, Health, LocalServers, Meter, Plugin, Readiness, admin, anthropic, cf_ai_gateway, cloudflare, codex,
    command, is_enabled, offline, openai_compatible, traced, workers_ai,
};
use crate::config::{Changes, Config};
use crate::model::Ledger;
use crate::policy::{HostPattern, HostPolicy, Redactor};
use crate::providers::http::Http;
use crate::skills::Registry;

/// In the order in which Helm prefers them; those that are not listed complete no conversation.
const PREFERENCE: [&str; 6] =
    [cf_ai_gateway::ID, workers_ai::ID, anthropic::ID, openai_compatible::ID, codex::ID, offline::ID];

const IDS: [&str; 9] = [
    cf_ai_gateway::ID,
    workers_ai::ID,
    anthropic::ID,
    openai_compatible::ID,
    codex::ID,
    cloudflare::ID,
    command::ID,
    admin::ID,
    offline::ID,
];

/// The secrets that each is configured with.
const SECRETS: [(&str, &[&str]); 6] = [
    (cf_ai_gateway::ID, &["CLOUDFLARE_API_TOKEN", "AI_GATEWAY_AUTH_TOKEN"]),
    (workers_ai::ID, &["CLOUDFLARE_API_TOKEN"]),
    (anthropic::ID, &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]),
    (openai_compatible::ID, &["OPENAI_COMPATIBLE_KEY"]),
    (codex::ID, &["OPENAI_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_ID_TOKEN", "CODEX_APP_SERVER_TOKEN"]),
    (cloudflare::ID, &["CLOUDFLARE_API_TOKEN"]),
];

pub struct Loaded {
    /// Those that complete a conversation first, in the order in which Helm prefers them.
    pub plugins: Vec<Plugin>,
    pub skills: Registry,
    pub hosts: Vec<HostPattern>,
    /// What all requests of the plugins go out through.
    pub http: Http,
    pub meter: Meter,
    pub local_servers: LocalServers,
    pub codex: codex::Way,
    pub children: Children,
    pub kept: Kept,
}

/// What goes on when the configuration is read again: connections that are open, what was spent, the app-server, and how
/// often each plugin was called.
#[derive(Clone)]
pub struct Kept {
    hosts: Vec<HostPattern>,
    http: Http,
    meter: Meter,
    codex: (Plugin, codex::Way),
    children: Children,
    /// By plugin.
    healths: BTreeMap<&'static str, Health>,
}

impl Kept {
    /// Whether what was loaded with this configuration would be loaded again: a way to the app-server or a sign-in may be
    /// there by now that was not.
    pub fn stands(&self, config: &Config) -> bool {
        let (codex, _) = &self.codex;
        codex.readiness == Readiness::Configured || codex.readiness == codex::readiness(config, self.http.redactor())
    }
}

/// What `codex` is made of beside the hosts.
const OF_CODEX: [&str; 7] =
    ["codex", "openai_", "model_default", "enabled_plugins", "allowed_hosts", "http.", "helm.approval"];

/// One sentence that names the setting.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

/// What calls spend is kept in the ledger, if there is one.
pub fn load(config: &Config, ledger: Option<Arc<dyn Ledger>>) -> Result<Loaded, LoadError> {
    check_ids(config)?;
    let hosts = allowed_hosts(config)?;
    let redactor = Redactor::new(config.secrets().map(|secret| secret.expose().to_owned()));
    let policy = HostPolicy::new(hosts.clone());
    let http = Http::new(policy.clone(), config.http.clone(), redactor.clone());
    let meter = Meter::new(&config.spend, ledger, redactor);
    let codex = codex::build(config, &http, &policy);
    let (children, healths) = Default::default();
    build(config, Kept { hosts, http, meter, codex, children, healths })
}

/// The same in the place of what was loaded before. What the changes do not touch goes on as it is; after an error all of
/// it does.
pub fn load_again(config: &Config, before: &Kept, changes: &Changes) -> Result<Loaded, LoadError> {
    check_ids(config)?;
    let hosts = allowed_hosts(config)?;
    let redactor = before.http.redactor();
    config.secrets().for_each(|secret| redactor.learn(secret.expose()));
    let policy = HostPolicy::new(hosts.clone());
    let same_way_out = hosts == before.hosts && config.http == *before.http.settings();
    let http = match same_way_out {
        true => before.http.clone(),
        false => Http::new(policy.clone(), config.http.clone(), redactor.clone()),
    };
    let is_configured = before.codex.0.readiness == Readiness::Configured;
    let codex = match is_configured && same_way_out && !changes.touch(&OF_CODEX) {
        true => before.codex.clone(),
        false => codex::build(config, &http, &policy),
    };
    let Kept { meter, children, healths, .. } = before.clone();
    let loaded = build(config, Kept { hosts, http, meter, codex, children, healths })?;
    loaded.meter.adopt(&config.spend);
    Ok(loaded)
}

fn build(config: &Config, mut kept: Kept) -> Result<Loaded, LoadError> {
    let Kept { hosts, http, meter, codex: (codex, codex_way), children, .. } = kept.clone();
    let policy = HostPolicy::new(hosts.clone());
    let mut plugins = vec![
        cf_ai_gateway::build(config, &http),
        workers_ai::build(config, &http),
        anthropic::build(config, &http),
        openai_compatible::build(config, &http),
        codex,
        cloudflare::build(config, &http),
        command::build(config, &children),
    ];
    for plugin in &mut plugins {
        tell_unresolved(plugin, config);
    }
    plugins.push(admin::build(config, &plugins, &meter));
    plugins.push(offline::build(config, &plugins));
    let providers = plugins.iter().filter_map(|plugin| plugin.provider.as_ref());
    let taken: Vec<Url> = providers.flat_map(|provider| provider.endpoints()).collect();
    let allowed = config.allowed_hosts.as_ref().map(|_| &policy);
    let local_servers = LocalServers::new(config, allowed, &taken);
    // From here on nothing fails.
    let skills = registry(&plugins)?;
    for plugin in &mut plugins {
        plugin.health = kept.healths.entry(plugin.id).or_insert_with(|| plugin.health.clone()).clone();
        plugin.health.renew();
        guard(plugin, &meter);
        let Some(provider) = plugin.provider.as_ref().filter(|_| plugin.enabled) else { continue };
        plugin.health.follow(provider.endpoints().iter().map(|url| http.link(url)).collect());
    }
    plugins.sort_by_key(Plugin::preference);
    Ok(Loaded { plugins, skills, hosts, http, meter, local_servers, codex: codex_way, children, kept })
}

/// Outermost the meter: what it refuses says nothing of the provider's health.
fn guard(plugin: &Plugin, meter: &Meter) {
    if let Some(gate) = &plugin.engine {
        gate.guard(|engine| meter.watch_engine(plugin.health.watch_engine(engine)));
    }
    let Some(gate) = &plugin.provider else { return };
    gate.guard(|provider| {
        let watched = plugin.health.watch(traced::watch(provider));
        // It asks no model, and answers whatever was spent.
        if plugin.id == offline::ID { watched } else { meter.watch(watched) }
    });
}

/// What keeps a plugin from being configured is not that its secret was not given, but that it cannot be had.
fn tell_unresolved(plugin: &mut Plugin, config: &Config) {
    let secrets = SECRETS.iter().filter(|(id, _)| *id == plugin.id).flat_map(|(_, names)| *names);
    let unresolved = config.unresolved.iter().find(|secret| secrets.clone().any(|name| *name == secret.setting));
    if let (Readiness::Missing { missing, hint }, Some(secret)) = (&mut plugin.readiness, unresolved) {
        *missing = vec![secret.setting];
        *hint = format!("{secret}. {}", secret.fix);
    }
}

fn check_ids(config: &Config) -> Result<(), LoadError> {
    let enabled = config.enabled_plugins.iter().flatten().map(|id| ("ENABLED_PLUGINS", id));
    // A price that fits nothing would leave a cap without effect.
    let priced = config.spend.prices.iter().filter_map(|price| Some(("a [[price]] table", price.provider.as_ref()?)));
    let unknown = enabled.chain(priced).find(|(_, id)| !IDS.contains(&id.as_str()));
    match unknown {
        None => Ok(()),
        Some((place, id)) => {
            let known = IDS.join(", ");
            Err(LoadError(format!("{place} names '{id}', which is no plugin. The plugins are {known}.")))
        }
    }
}

/// `ALLOWED_HOSTS` to the letter when it is set; otherwise where the enabled plugins' own endpoints are.
fn allowed_hosts(config: &Config) -> Result<Vec<HostPattern>, LoadError> {
    if let Some(hosts) = &config.allowed_hosts {
        let parse = |host: &String| host.parse().map_err(|why| LoadError(format!("ALLOWED_HOSTS: {why}")));
        return hosts.iter().map(parse).collect();
    }
    let endpoints = [
        (cf_ai_gateway::ID, cf_ai_gateway::endpoints(config)),
        (workers_ai::ID, workers_ai::endpoints(config)),
        (anthropic::ID, anthropic::endpoints(config)),
        (openai_compatible::ID, openai_compatible::endpoints(config)),
        (codex::ID, codex::endpoints(config)),
        (cloudflare::ID, cloudflare::endpoints(config)),
    ];
    let needed = endpoints.into_iter().filter(|(id, hosts)| is_enabled(config, id, !hosts.is_empty()));
    let mut hosts: Vec<HostPattern> = needed.flat_map(|(_, hosts)| hosts).collect();
    hosts.extend(config.telemetry.endpoint.as_ref().and_then(HostPattern::of));
    hosts.dedup();
    Ok(hosts)
}

fn registry(plugins: &[Plugin]) -> Result<Registry, LoadError> {
    let mut registry = Registry::default();
    for skill in plugins.iter().filter(|plugin| plugin.enabled).flat_map(|plugin| &plugin.skills) {
        registry.add(skill.clone()).map_err(|id| {
            LoadError(format!("there are two skills with the id '{id}'. Rename the [[skill]] in the configuration."))
        })?;
    }
    Ok(registry)
}

impl Plugin {
    /// Whether it can complete a conversation once it is configured.
    pub fn completes(&self) -> bool {
        PREFERENCE.contains(&self.id)
    }

    fn preference(&self) -> usize {
        PREFERENCE.iter().position(|id| *id == self.id).unwrap_or(PREFERENCE.len())
    }
}
