//! `daemon.*` and `rpc.discover`.

use serde_json::Value;

use super::convert;
use super::error::ApiError;
use super::table::Context;
use crate::protocol::{
    Empty, HelloParams, HelloResult, RunningTurn, StatusParams, StatusResult, StopParams, StopResult, VERSION, openrpc,
};

pub async fn status(context: Context, _: StatusParams) -> Result<StatusResult, ApiError> {
    let app = &context.app;
    let running = app
        .conductor
        .all_running()
        .into_iter()
        .map(|running| RunningTurn { session_name: running.session.clone(), turn_id: running.turn_id.to_string() });
    Ok(StatusResult {
        version: app.facts.version.to_owned(),
        protocol_version: VERSION.to_owned(),
        pid: std::process::id(),
        started_at: app.facts.started_at,
        memory_bytes: resident_memory(),
        clients: app.connections().len() as u64,
        running_turns: running.collect(),
        default_provider: app.conductor.routes().default_route().map(|route| route.id.clone()),
        enabled_plugins: app
            .plugins
            .iter()
            .filter(|plugin| plugin.enabled)
            .map(|plugin| plugin.id.to_owned())
            .collect(),
        skills: app.conductor.skills().specs().count() as u64,
        allowed_hosts: app.facts.allowed_hosts.clone(),
        config_file: app.facts.config_file.display().to_string(),
        state_dir: app.facts.state_dir.display().to_string(),
        log_file: app.facts.log_file.display().to_string(),
        usage: app.meter.today().await.ok().map(convert::today),
    })
}

pub async fn hello(context: Context, _: HelloParams) -> Result<HelloResult, ApiError> {
    let facts = &context.app.facts;
    Ok(HelloResult {
        version: facts.version.to_owned(),
        build: facts.build.clone(),
        protocol_version: VERSION.to_owned(),
        pid: std::process::id(),
        started_at: facts.started_at,
        idle: context.app.activity(Some(context.connection.peer.number())) == (0, 0),
        frame_bytes: facts.frame_bytes as u64,
        header_bytes: facts.header_bytes as u64,
    })
}

pub async fn stop(context: Context, params: StopParams) -> Result<StopResult, ApiError> {
    let outcome = context.app.ask_to_stop(params.when, context.connection.peer.number()).await;
    Ok(StopResult { stopping: outcome.is_ok(), reason: outcome.err().map(str::to_owned) })
}

pub async fn discover(_: Context, _: Empty) -> Result<Value, ApiError> {
    Ok(openrpc())
}

/// Bytes; only Linux tells without asking the system in ways of its own.
pub fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
