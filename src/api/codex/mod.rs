//! `codex.*`.

mod audience;
mod outbox;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonrpsee::types::ErrorObjectOwned;

use super::convert;
use super::error::ApiError;
use super::table::Context;
use crate::codex::{AppServer, Checkup, Question, Reply, started_thread};
use crate::protocol::{
    Code, CodexProblem, CodexRespondParams, CodexRespondResult, CodexRpcParams, CodexRpcResult, CodexStatusParams,
    CodexStatusResult, CodexSubscribeParams, CodexSubscribeResult, CodexUnsubscribeParams, Empty,
};

pub use audience::Audience;
use audience::TooMany;

/// What makes a thread, or joins one.
const STARTS: [&str; 3] = ["thread/start", "thread/resume", "thread/fork"];

pub async fn rpc(context: Context, params: CodexRpcParams) -> Result<CodexRpcResult, ApiError> {
    let (server, audience) = server(&context)?;
    let CodexRpcParams { method, params, timeout_ms, confirm } = params;
    if !confirm && context.app.setup().confirm_dangerous {
        let message = "codex.rpc can do whatever the app-server can and runs only when it is confirmed";
        return Err(ApiError::new(Code::ApprovalRequired, message).with_hint("Send it again with \"confirm\": true."));
    }
    let timeout = timeout_ms.map(Duration::from_millis);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(ApiError::new(Code::BadRequest, "parameter 'timeoutMs' must be more than 0"));
    }
    let starting = STARTS.contains(&method.as_str()).then(|| audience.start());
    let result = server.rpc(&method, params.as_deref(), timeout).await.map_err(ApiError::codex)?;
    if let (Some(starting), Some(thread)) = (starting, started_thread(&result)) {
        starting.made(thread);
    }
    Ok(CodexRpcResult(result))
}

pub async fn status(context: Context, params: CodexStatusParams) -> Result<CodexStatusResult, ApiError> {
    let setup = context.app.setup();
    let way = &setup.codex;
    let mode = way.mode.map(str::to_owned);
    let Some(server) = &way.app_server else {
        let kind = "not-configured".to_owned();
        let problem = CodexProblem { kind, message: NOT_CONFIGURED.to_owned(), hint: Some(way.hint.clone()) };
        return Ok(CodexStatusResult {
            configured: false,
            mode,
            link: None,
            account: None,
            rate_limits: Vec::new(),
            problem: Some(problem),
            pending_requests: 0,
            threads: 0,
        });
    };
    let Checkup { account, limits, problem } = if params.probe { server.check_up().await } else { server.known() };
    let now = SystemTime::now();
    Ok(CodexStatusResult {
        configured: true,
        mode,
        link: Some(convert::codex_link(&server.status(), server.place())),
        account: account.and_then(|account| serde_json::from_str(account.get()).ok()),
        rate_limits: limits.iter().map(|window| convert::codex_rate_limit(window, now)).collect(),
        problem: problem.map(convert::codex_problem),
        pending_requests: server.desk().open().len() as u64,
        threads: server.threads() as u64,
    })
}

pub async fn subscribe(context: Context, params: CodexSubscribeParams) -> Result<CodexSubscribeResult, ApiError> {
    let (server, audience) = server(&context)?;
    let pending = audience.subscribe(params.thread_id.as_deref(), context.call.answered.clone());
    let pending = pending.map_err(|TooMany| {
        let error = ApiError::new(Code::Overloaded, "this connection watches too many threads already");
        error.with_hint("End one with codex.unsubscribe, or subscribe to all.")
    })?;
    server.wake();
    let shown =
        |question: &Arc<Question>| convert::codex_request(question, server.clean((*question.params).to_owned()));
    Ok(CodexSubscribeResult { pending: pending.iter().map(shown).collect() })
}

pub async fn unsubscribe(context: Context, params: CodexUnsubscribeParams) -> Result<Empty, ApiError> {
    server(&context)?.1.unsubscribe(params.thread_id.as_deref());
    Ok(Empty {})
}

pub async fn respond(context: Context, params: CodexRespondParams) -> Result<CodexRespondResult, ApiError> {
    let (server, _) = server(&context)?;
    let reply: Reply = match (params.result, params.error) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => {
            let code = i32::try_from(error.code).unwrap_or(crate::rpc::INTERNAL_ERROR);
            Err(ErrorObjectOwned::owned(code, error.message, error.data))
        }
        _ => return Err(ApiError::new(Code::BadRequest, "give one of the parameters 'result' and 'error'")),
    };
    Ok(CodexRespondResult { accepted: server.desk().answer(&params.request_id, reply) })
}

const NOT_CONFIGURED: &str = "there is no Codex app-server to speak to";

fn server(context: &Context) -> Result<(Arc<AppServer>, Arc<Audience>), ApiError> {
    let way = &context.app.setup().codex;
    match &way.app_server {
        Some(server) => Ok((Arc::clone(server), context.connection.audience(server))),
        None => Err(ApiError::new(Code::NoProvider, NOT_CONFIGURED).with_hint(&way.hint)),
    }
}
