//! A configuration made into what Helm and the API work with.

use std::sync::Arc;

use super::log;
use super::version;
use crate::api::{Facts, Setup};
use crate::config::Config;
use crate::helm::{self, Route, Routes};
use crate::model::{Engine, Provider};
use crate::plugins::{Kept, Loaded, Meter, Plugin};
use crate::providers::http::Http;

/// Plugins that are loaded, as the parts above them take them.
pub(super) struct Made {
    pub helm: helm::Setup,
    pub api: Setup,
    pub meter: Meter,
    pub http: Http,
    pub kept: Kept,
}

pub(super) fn make(config: &Config, loaded: Loaded) -> Made {
    let Loaded { plugins, skills, hosts, http, meter, local_servers, codex, children, kept } = loaded;
    let routes = Routes::new(plugins.iter().filter(|plugin| plugin.completes()).map(route).collect());
    let settings = helm::Settings {
        history_tokens: config.helm.history_tokens,
        tool_result_bytes: config.helm.tool_result_bytes,
        approval_timeout: config.helm.approval_timeout,
        queued_turns: config.helm.queued_turns,
        buffered_events: config.limits.buffered_events,
    };
    let redactor = http.redactor().clone();
    let api = Setup {
        plugins,
        local_servers,
        codex,
        children,
        allowed_hosts: hosts.iter().map(ToString::to_string).collect(),
        confirm_dangerous: config.helm.confirm_dangerous,
        redact: Arc::new(move |value| redactor.redact_json(value)),
    };
    Made { helm: helm::Setup { skills: Arc::new(skills), routes, settings }, api, meter, http, kept }
}

pub(super) fn facts(config: &Config) -> Facts {
    Facts {
        version: version::OURS,
        build: version::build().to_owned(),
        started_at: helm::now_ms(),
        config_file: config.file.clone(),
        state_dir: config.state_dir.clone(),
        log_file: log::path(&config.state_dir),
        frame_bytes: config.limits.frame_bytes,
        header_bytes: config.limits.header_bytes,
        idle_timeout: config.serving.idle_timeout,
    }
}

fn route(plugin: &Plugin) -> Route {
    Route {
        id: plugin.id.to_owned(),
        enabled: plugin.enabled,
        provider: plugin.provider.clone().map(|gate| gate as Arc<dyn Provider>),
        engine: plugin.engine.clone().map(|gate| gate as Arc<dyn Engine>),
        hint: plugin.readiness.hint().to_owned(),
        propose_only: plugin.propose_only.clone(),
        vendors: plugin.vendors.clone(),
    }
}
