//! `daemon.*` and `rpc.discover`.

use serde_json::Value;

use super::convert;
use super::error::ApiError;
use super::table::Context;
use crate::protocol::{Code, Empty, HelloParams, HelloResult, ReloadResult, StopParams, StopResult, VERSION, openrpc};

pub async fn hello(context: Context, params: HelloParams) -> Result<HelloResult, ApiError> {
    context.connection.told.tell(params.cwd, params.env.unwrap_or_default());
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
    if outcome.is_ok() {
        context.connection.await_end();
    }
    Ok(StopResult { stopping: outcome.is_ok(), reason: outcome.err().map(str::to_owned) })
}

pub async fn reload(context: Context, _: Empty) -> Result<ReloadResult, ApiError> {
    let hint = "Mend the file; open-think config check says whether it is good. The daemon goes on as it was.";
    let reloaded = context.app.reload().await;
    reloaded.map(convert::reload_result).map_err(|why| ApiError::new(Code::BadRequest, why).with_hint(hint))
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
