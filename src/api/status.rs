//! `daemon.status`: who is connected, what is at work, and how the ways out stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use super::connection::Via;
use super::convert;
use super::daemon::resident_memory;
use super::error::ApiError;
use super::figures::way;
use super::table::Context;
use super::{App, Connection, Setup};
use crate::codex::link::State;
use crate::helm::{millis, now_ms};
use crate::plugins::{Child, LinkState, Plugin, Readiness, codex};
use crate::protocol::{
    ChildRow, CodexState, ConnectionRow, LiveSession, ProviderWarmth, RunningTurn, StatusParams, StatusResult, VERSION,
};

pub async fn status(context: Context, _: StatusParams) -> Result<StatusResult, ApiError> {
    let (app, setup, helm) = (&context.app, context.app.setup(), context.app.conductor.setup());
    let running = app
        .conductor
        .all_running()
        .into_iter()
        .map(|running| RunningTurn { session_name: running.session.clone(), turn_id: running.turn_id.to_string() });
    let connections = app.connections();
    let reach = app.reach();
    Ok(StatusResult {
        version: app.facts.version.to_owned(),
        build: app.facts.build.clone(),
        protocol_version: VERSION.to_owned(),
        pid: std::process::id(),
        started_at: app.facts.started_at,
        uptime_ms: now_ms().saturating_sub(app.facts.started_at),
        memory_bytes: resident_memory(),
        socket: reach.socket.map(|socket| socket.display().to_string()),
        http: reach.http,
        http_fault: reach.http_fault,
        http_token_file: reach.http_token_file.map(|file| file.display().to_string()),
        clients: connections.len() as u64,
        connections: connections.iter().map(|connection| connection_row(connection)).collect(),
        running_turns: running.collect(),
        sessions: live_sessions(app).await,
        default_provider: helm.routes.default_route().map(|route| route.id.clone()),
        enabled_plugins: setup
            .plugins
            .iter()
            .filter(|plugin| plugin.enabled)
            .map(|plugin| plugin.id.to_owned())
            .collect(),
        providers: setup.plugins.iter().filter(|plugin| is_used(plugin)).map(|plugin| warmth(plugin, &setup)).collect(),
        codex: setup.codex.app_server.as_ref().map(|server| {
            let status = server.status();
            CodexState { state: convert::link_state(status.state).to_owned(), pid: status.pid }
        }),
        children: children(&setup),
        skills: helm.skills.specs().count() as u64,
        allowed_hosts: setup.allowed_hosts.clone(),
        config_file: app.facts.config_file.display().to_string(),
        state_dir: app.facts.state_dir.display().to_string(),
        log_file: app.facts.log_file.display().to_string(),
        idle_timeout_ms: millis(app.facts.idle_timeout),
        usage: app.meter.today().await.ok().map(convert::today),
    })
}

fn connection_row(connection: &Connection) -> ConnectionRow {
    let info = connection.client().info.clone();
    let pid = match connection.via {
        Via::Unix { pid } => pid,
        _ => None,
    };
    ConnectionRow {
        id: connection.peer.number(),
        via: way(connection.via).to_owned(),
        name: info.as_ref().map(|info| info.name.clone()),
        version: info.and_then(|info| info.version),
        pid,
        since: connection.since,
        cwd: connection.told.now(connection.via).cwd.as_ref().map(|cwd| cwd.display().to_string()),
        subscriptions: connection.subscriptions.sessions(),
        in_flight: connection.peer.in_flight() as u64,
    }
}

/// Those in which something runs, waits or is watched.
async fn live_sessions(app: &App) -> Vec<LiveSession> {
    let at_work: BTreeMap<String, usize> = app.conductor.at_work().into_iter().collect();
    let rows = app.conductor.store().sessions().await.unwrap_or_default();
    let held: BTreeMap<String, u64> =
        rows.into_iter().filter(|row| row.held_count > 0).map(|row| (row.name, row.held_count)).collect();
    let watched = app.connections().into_iter().flat_map(|connection| connection.subscriptions.sessions());
    let names: BTreeSet<String> = at_work.keys().chain(held.keys()).cloned().chain(watched).collect();
    let row = |name: String| {
        let (turns, log) = (at_work.get(&name).copied().unwrap_or_default(), app.conductor.log(&name));
        LiveSession {
            running: turns > 0,
            queued: turns.saturating_sub(1) as u64,
            held: held.get(&name).copied().unwrap_or_default(),
            subscribers: log.watchers() as u64,
            last_seq: log.last_seq(),
            session_name: name,
        }
    };
    names.into_iter().map(row).collect()
}

fn is_used(plugin: &Plugin) -> bool {
    plugin.enabled && plugin.completes() && plugin.readiness_now() == Readiness::Configured
}

/// What is reached over an app-server stands as the way there does.
fn warmth(plugin: &Plugin, setup: &Setup) -> ProviderWarmth {
    let link = setup.codex.app_server.as_ref().filter(|_| plugin.id == codex::ID).map(|server| server.status());
    let standing = plugin.health.standing();
    let (state, fault) = match link {
        Some(link) => match link.state {
            State::Ready => ("warm", None),
            State::Backoff | State::Refused => ("down", link.fault.map(|fault| fault.message.clone())),
            State::Cold | State::Connecting | State::Handshaking | State::Draining => ("cold", None),
        },
        None => match standing.state {
            LinkState::Warm => ("warm", None),
            LinkState::Failed => ("down", None),
            LinkState::Unknown | LinkState::Connecting => ("cold", None),
        },
    };
    let why = standing.error.or(fault);
    ProviderWarmth { id: plugin.id.to_owned(), state: state.to_owned(), why }
}

fn children(setup: &Setup) -> Vec<ChildRow> {
    let since = |at: SystemTime| millis(at.duration_since(UNIX_EPOCH).unwrap_or_default());
    let of_skill = |child: Child| ChildRow {
        pid: child.pid,
        kind: "skill".to_owned(),
        name: child.name,
        since: since(child.since),
    };
    let server = setup.codex.app_server.as_ref().map(|server| server.status());
    let app_server = server.and_then(|status| {
        let (kind, name) = ("codex".to_owned(), "codex app-server".to_owned());
        Some(ChildRow { pid: status.pid?, kind, name, since: since(status.since) })
    });
    setup.children.all().into_iter().map(of_skill).chain(app_server).collect()
}
