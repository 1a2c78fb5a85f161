//! `codex.*`.

use super::error::ApiError;
use super::table::Context;
use crate::protocol::{
    Code, CodexRespondParams, CodexRespondResult, CodexRpcParams, CodexRpcResult, CodexStatusParams, CodexStatusResult,
    CodexSubscribeParams, CodexSubscribeResult, CodexUnsubscribeParams, Empty,
};

pub async fn rpc(_: Context, _: CodexRpcParams) -> Result<CodexRpcResult, ApiError> {
    Err(not_configured())
}

pub async fn status(_: Context, _: CodexStatusParams) -> Result<CodexStatusResult, ApiError> {
    Err(not_configured())
}

pub async fn subscribe(_: Context, _: CodexSubscribeParams) -> Result<CodexSubscribeResult, ApiError> {
    Err(not_configured())
}

pub async fn unsubscribe(_: Context, _: CodexUnsubscribeParams) -> Result<Empty, ApiError> {
    Err(not_configured())
}

pub async fn respond(_: Context, _: CodexRespondParams) -> Result<CodexRespondResult, ApiError> {
    Err(not_configured())
}

fn not_configured() -> ApiError {
    let hint =
        "Set CODEX_APP_SERVER_URL to where one listens, or let the daemon start one: spawn = true under [codex].";
    ApiError::new(Code::NoProvider, "there is no Codex app-server to speak to").with_hint(hint)
}
