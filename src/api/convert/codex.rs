//! What is known of the app-server, for the wire.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::millis;
use crate::codex::link::{Fault, Server, State, Status};
use crate::codex::{Place, Problem, Question, Resolution, Settled, Window};
use crate::protocol as wire;

/// The parameters are those that the client may see.
pub fn codex_notification(
    method: &str,
    params: Box<RawValue>,
    thread: Option<String>,
) -> wire::CodexNotificationParams {
    wire::CodexNotificationParams { method: method.to_owned(), params, thread_id: thread }
}

/// So here.
pub fn codex_request(question: &Question, params: Box<RawValue>) -> wire::CodexRequestParams {
    wire::CodexRequestParams {
        request_id: question.id(),
        method: question.method.as_ref().to_owned(),
        params,
        thread_id: question.thread.clone(),
        deadline_ms: millis(question.left()),
    }
}

pub fn codex_resolved(settled: Settled) -> wire::CodexRequestResolvedParams {
    let how = match settled.how {
        Resolution::Answered => wire::CodexResolution::Answered,
        Resolution::Declined => wire::CodexResolution::Declined,
        Resolution::Elsewhere => wire::CodexResolution::Settled,
        Resolution::Lost => wire::CodexResolution::Lost,
    };
    wire::CodexRequestResolvedParams { request_id: settled.id, how }
}

pub fn codex_link(status: &Status, place: Place) -> wire::CodexLink {
    let Place { transport, endpoint } = place;
    wire::CodexLink {
        state: link_state(status.state).to_owned(),
        since: unix_millis(status.since),
        fault: status.fault.as_deref().map(fault),
        retry_at: status.retry_at.map(unix_millis),
        server: status.server.as_deref().map(server),
        transport: transport.to_owned(),
        endpoint,
        pid: status.pid,
        connects: status.connects,
        in_flight: status.in_flight as u64,
        waiting: status.waiting as u64,
    }
}

pub fn codex_problem(problem: Problem) -> wire::CodexProblem {
    let Problem { kind, message, hint } = problem;
    wire::CodexProblem { kind: kind.to_owned(), message, hint }
}

pub fn codex_rate_limit(window: &Window, now: SystemTime) -> wire::CodexRateLimit {
    wire::CodexRateLimit {
        limit_id: window.limit.clone(),
        window: window.name.to_owned(),
        used_percent: window.used_percent,
        window_minutes: window.minutes,
        resets_at: window.resets_at,
        resets_at_iso: window.resets_at_iso(),
        resets_in_seconds: window.resets_in(now).map(|left| left.as_secs()),
    }
}

fn fault(fault: &Fault) -> wire::CodexProblem {
    let Fault { kind, message, hint } = fault.clone();
    wire::CodexProblem { kind: kind.as_str().to_owned(), message, hint }
}

fn server(server: &Server) -> wire::CodexServer {
    let Server { user_agent, version, codex_home, platform } = server.clone();
    wire::CodexServer { user_agent, version, codex_home, platform }
}

pub fn link_state(state: State) -> &'static str {
    match state {
        State::Cold => "cold",
        State::Connecting => "connecting",
        State::Handshaking => "handshaking",
        State::Ready => "ready",
        State::Draining => "draining",
        State::Backoff => "backoff",
        State::Refused => "refused",
    }
}

fn unix_millis(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
