//! `providers.*`.

use std::time::UNIX_EPOCH;

use super::convert;
use super::error::ApiError;
use super::table::Context;
use crate::codex::link::{State, Status};
use crate::helm::millis;
use crate::plugins::{LinkState, LocalServer, Plugin, Readiness, Standing, codex};
use crate::protocol::{
    DiscoveredRow, Empty, ProviderRow, ProvidersListResult, ProvidersModelsParams, ProvidersModelsResult,
};

pub async fn list(context: Context, _: Empty) -> Result<ProvidersListResult, ApiError> {
    let (helm, setup) = (context.app.conductor.setup(), context.app.setup());
    let default = helm.routes.default_route().map(|route| route.id.as_str());
    let plugins = setup.plugins.iter().filter(|plugin| plugin.completes());
    let discovered = setup.local_servers.find().await.iter().map(discovered_row).collect();
    let link = setup.codex.app_server.as_ref().map(|server| server.status());
    let row = |plugin: &Plugin| match &link {
        Some(link) if plugin.id == codex::ID => over(link, row(plugin, default)),
        _ => row(plugin, default),
    };
    Ok(ProvidersListResult { providers: plugins.map(row).collect(), discovered })
}

pub async fn models(context: Context, params: ProvidersModelsParams) -> Result<ProvidersModelsResult, ApiError> {
    let setup = context.app.conductor.setup();
    let provider = setup.routes.provider(&params.provider)?;
    let models = provider.models().await.map_err(|error| ApiError::provider(&params.provider, &error))?;
    Ok(ProvidersModelsResult { models: models.into_iter().map(convert::model_row).collect() })
}

fn row(plugin: &Plugin, default: Option<&str>) -> ProviderRow {
    let readiness = plugin.readiness_now();
    let configured = readiness == Readiness::Configured;
    let (missing, hint) = match readiness {
        Readiness::Configured => (Vec::new(), None),
        Readiness::Missing { missing, hint } => (missing.iter().map(ToString::to_string).collect(), Some(hint)),
    };
    let Standing { state, healthy, error, checked } = plugin.health.standing();
    ProviderRow {
        id: plugin.id.to_owned(),
        description: plugin.description.to_owned(),
        enabled: plugin.enabled,
        configured,
        state: state_name(state).to_owned(),
        healthy,
        last_error: error,
        latency_ms: checked.and_then(|(_, latency)| latency).map(millis),
        checked_at: checked.map(|(at, _)| millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())),
        default: default == Some(plugin.id),
        default_model: plugin.provider.as_ref().and_then(|provider| provider.default_model().map(str::to_owned)),
        missing,
        hint,
    }
}

/// What is reached over an app-server stands as the way there does.
fn over(link: &Status, row: ProviderRow) -> ProviderRow {
    let state = match link.state {
        State::Cold => LinkState::Unknown,
        State::Connecting | State::Handshaking => LinkState::Connecting,
        State::Ready => LinkState::Warm,
        State::Draining | State::Backoff | State::Refused => LinkState::Failed,
    };
    let fault = link.fault.as_ref().filter(|_| link.state != State::Ready).map(|fault| fault.message.clone());
    ProviderRow { state: state_name(state).to_owned(), last_error: row.last_error.or(fault), ..row }
}

fn discovered_row(server: &LocalServer) -> DiscoveredRow {
    let LocalServer { name, url, models, .. } = server.clone();
    DiscoveredRow { name: name.to_owned(), url, models, hint: server.hint() }
}

fn state_name(state: LinkState) -> &'static str {
    match state {
        LinkState::Unknown => "unknown",
        LinkState::Connecting => "connecting",
        LinkState::Warm => "warm",
        LinkState::Failed => "failed",
    }
}
