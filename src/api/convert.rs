//! Wire to domain and back, by hand. The only place that knows both.

mod client_skill;
mod codex;

pub use client_skill::{client_skill, skill_call, skill_gone, skill_output};
pub use codex::{
    codex_link, codex_notification, codex_problem, codex_rate_limit, codex_request, codex_resolved, link_state,
};

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json, value::RawValue};

use super::app::Reloaded;
use super::error::ApiError;
use crate::helm::{self, Entry, TurnOutcome, parse_action_blocks};
use crate::model::{self, Block, ImageSource, ModelInfo, Role};
use crate::plugins::Today;
use crate::protocol::{self as wire, Code, Event, EventParams};
use crate::rpc::Id;
use crate::sessions::{ActionRow, MessageRow, SessionRow};
use crate::skills::{SkillAttempt, SkillSpec};

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub fn reload_result(reloaded: Reloaded) -> wire::ReloadResult {
    let Reloaded { changed, restart_needed, warnings } = reloaded;
    wire::ReloadResult { changed, restart_needed, warnings }
}

pub fn reloaded(outcome: &Result<Reloaded, String>) -> wire::ReloadedParams {
    match outcome {
        Ok(Reloaded { changed, restart_needed, .. }) => wire::ReloadedParams {
            ok: true,
            changed: changed.clone(),
            restart_needed: restart_needed.clone(),
            message: None,
        },
        Err(why) => wire::ReloadedParams {
            ok: false,
            changed: Vec::new(),
            restart_needed: Vec::new(),
            message: Some(why.clone()),
        },
    }
}

pub fn cancelled_id(params: &RawValue) -> Option<Id> {
    #[derive(serde::Deserialize)]
    struct Params {
        id: Box<RawValue>,
    }
    let params: Params = serde_json::from_str(params.get()).ok()?;
    Id::parse(&params.id)
}

pub fn message(params: &wire::MessageParams) -> Result<helm::Message, ApiError> {
    let bad = |message: &str| ApiError::new(Code::BadRequest, message);
    if !(1..=12).contains(&params.max_iterations) {
        return Err(bad("parameter 'maxIterations' must be from 1 to 12"));
    }
    session_name(&params.session_name)?;
    if params.per_model_timeout_ms == Some(0) {
        return Err(bad("parameter 'perModelTimeoutMs' must be more than 0"));
    }
    if params.fallback_models.len() > wire::MAX_FALLBACKS {
        return Err(bad(&format!("parameter 'fallbackModels' must name at most {}", wire::MAX_FALLBACKS)));
    }
    if let Some(at) = params.fallback_models.iter().position(|name| name.trim().is_empty()) {
        return Err(bad(&format!("parameter 'fallbackModels[{at}]' must name a model or a provider")));
    }
    Ok(helm::Message {
        session: params.session_name.clone(),
        content: content(&params.content)?,
        mode: mode(params.mode.unwrap_or_default()),
        mode_is_named: params.mode.is_some(),
        provider: params.provider.clone(),
        model: params.model.clone(),
        max_iterations: params.max_iterations,
        fallbacks: params.fallback_models.iter().map(|name| name.trim().to_owned()).collect(),
        per_model_timeout: params.per_model_timeout_ms.map(Duration::from_millis),
        stream: params.stream,
        thread: params.thread_id.as_deref().map(thread_id).transpose()?,
        steer: params.steer,
        queue: params.queue,
        place: Arc::default(),
        approver: None,
    })
}

fn thread_id(id: &str) -> Result<String, ApiError> {
    const MAX: usize = 200;
    let id = id.trim();
    let fine = !id.is_empty() && id.len() <= MAX && !id.chars().any(char::is_control);
    let fault = || format!("parameter 'threadId' must be 1 to {MAX} bytes of printable text");
    fine.then(|| id.to_owned()).ok_or_else(|| ApiError::new(Code::BadRequest, fault()))
}

/// A name that a person can read back: no control characters, no end.
pub fn session_name(name: &str) -> Result<(), ApiError> {
    const MAX: usize = 200;
    let fine = !name.trim().is_empty() && name.len() <= MAX && !name.chars().any(char::is_control);
    let fault = || format!("parameter 'sessionName' must be 1 to {MAX} bytes of printable text");
    fine.then_some(()).ok_or_else(|| ApiError::new(Code::BadRequest, fault()))
}

pub fn approve(params: &wire::ApproveParams) -> Result<helm::Approve, ApiError> {
    if params.action_ids.is_empty() {
        return Err(ApiError::new(Code::BadRequest, "parameter 'actionIds' must name at least one action"));
    }
    if params.input.is_some() && params.action_ids.len() > 1 {
        return Err(ApiError::new(Code::BadRequest, "parameter 'input' goes with a single action"));
    }
    session_name(&params.session_name)?;
    let mut action_ids: Vec<String> = Vec::with_capacity(params.action_ids.len());
    for id in &params.action_ids {
        // One that is named twice is run once.
        if !action_ids.contains(id) {
            action_ids.push(id.clone());
        }
    }
    Ok(helm::Approve {
        session: params.session_name.clone(),
        action_ids,
        decision: decision(params.decision, params.input.clone()),
        resume: params.resume,
        stream: params.stream,
        place: Arc::default(),
        approver: None,
    })
}

pub fn decision(decision: wire::Decision, input: Option<Value>) -> helm::Decision {
    match decision {
        wire::Decision::Approve => helm::Decision::Approve(input),
        wire::Decision::Deny => helm::Decision::Deny,
    }
}

fn content(content: &wire::Content) -> Result<Vec<Block>, ApiError> {
    let bad = |message: String| Err(ApiError::new(Code::BadRequest, message));
    let blocks = match content {
        wire::Content::Text(text) => vec![Block::Text { text: text.clone() }],
        wire::Content::Blocks(blocks) => blocks
            .iter()
            .enumerate()
            .map(|(index, block)| {
                content_block(block).ok_or_else(|| {
                    let message = format!("parameter 'content[{index}]' needs either 'url', or 'mediaType' and 'data'");
                    ApiError::new(Code::BadRequest, message)
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let is_empty = |block: &Block| matches!(block, Block::Text { text } if text.trim().is_empty());
    if blocks.iter().all(is_empty) {
        return bad("parameter 'content' is empty: say something".to_owned());
    }
    Ok(blocks.into_iter().filter(|block| !is_empty(block)).collect())
}

fn content_block(block: &wire::ContentBlock) -> Option<Block> {
    Some(match block {
        wire::ContentBlock::Text { text } => Block::Text { text: text.clone() },
        wire::ContentBlock::Image { url: Some(url), media_type: None, data: None } => {
            Block::Image { source: ImageSource::Url { url: url.clone() } }
        }
        wire::ContentBlock::Image { url: None, media_type: Some(media_type), data: Some(data) } => {
            Block::Image { source: ImageSource::Base64 { media_type: media_type.clone(), data: data.clone() } }
        }
        wire::ContentBlock::Image { .. } => return None,
    })
}

fn mode(mode: wire::Mode) -> model::Mode {
    match mode {
        wire::Mode::Propose => model::Mode::Propose,
        wire::Mode::Selective => model::Mode::Selective,
        wire::Mode::Auto => model::Mode::Auto,
    }
}

fn wire_mode(mode: model::Mode) -> wire::Mode {
    match mode {
        model::Mode::Propose => wire::Mode::Propose,
        model::Mode::Selective => wire::Mode::Selective,
        model::Mode::Auto => wire::Mode::Auto,
    }
}

pub fn turn_result(outcome: &Arc<TurnOutcome>, include_raw: bool) -> Result<wire::TurnResult, ApiError> {
    let result = outcome.as_ref().as_ref().map_err(ApiError::from)?;
    let raw = include_raw.then(|| json!(result.last_answer));
    Ok(wire::TurnResult {
        session_name: result.session.clone(),
        turn_id: result.turn_id.clone(),
        mode: wire_mode(result.mode),
        mode_requested: wire_mode(result.mode_requested),
        downgrade_reason: result.downgrade_reason.clone(),
        assistant_message: result.assistant_message.clone().map(session_message),
        suggested_actions: result.suggested_actions.iter().map(action).collect(),
        trace: result.trace.iter().map(trace_entry).collect(),
        stop_reason: stop_reason(result.stop_reason),
        refusal: result.refusal.clone(),
        iterations_used: result.iterations_used,
        provider_used: result.used.provider.clone(),
        model_used: result.used.model.clone(),
        usage: usage(result.usage),
        attempts: attempts(&result.attempts),
        halted: result.halted.map(|halted| match halted {
            helm::Halted::IterationCap => wire::Halted::IterationCap,
            helm::Halted::DangerousSkill => wire::Halted::DangerousSkill,
        }),
        metadata: result.metadata.clone(),
        raw,
    })
}

pub fn action(action: &helm::Action) -> wire::SuggestedAction {
    wire::SuggestedAction {
        id: action.id.clone(),
        skill: action.skill.clone(),
        plugin: action.plugin.clone(),
        input: action.input.clone(),
        tool_use_id: action.tool_use_id.clone(),
        reason: action.reason.clone(),
        dangerous: action.dangerous,
    }
}

pub fn action_row(row: ActionRow) -> wire::SuggestedAction {
    let ActionRow { id, skill, plugin, input, tool_use_id, reason, dangerous, .. } = row;
    wire::SuggestedAction { id, skill, plugin, input, tool_use_id, reason, dangerous }
}

fn trace_entry(entry: &helm::TraceEntry) -> wire::TraceEntry {
    wire::TraceEntry {
        tool_use_id: entry.tool_use_id.clone(),
        skill: entry.skill.clone(),
        input: entry.input.clone(),
        ok: entry.outcome.is_ok(),
        result: entry.outcome.as_ref().ok().cloned(),
        error: entry.outcome.as_ref().err().cloned(),
        duration_ms: millis(entry.duration),
    }
}

pub fn attempts(attempts: &[helm::Attempt]) -> Vec<wire::Attempt> {
    let attempt = |attempt: &helm::Attempt| wire::Attempt {
        provider: attempt.provider.clone(),
        model: attempt.model.clone(),
        ok: attempt.error.is_none(),
        status: attempt.status,
        error: attempt.error.clone(),
        duration_ms: millis(attempt.duration),
    };
    attempts.iter().map(attempt).collect()
}

pub fn skill_attempts(attempts: &[SkillAttempt]) -> Vec<wire::Attempt> {
    let attempt = |attempt: &SkillAttempt| wire::Attempt {
        provider: attempt.provider.clone(),
        model: Some(attempt.model.clone()),
        ok: attempt.error.is_none(),
        status: attempt.status,
        error: attempt.error.clone(),
        duration_ms: millis(attempt.duration),
    };
    attempts.iter().map(attempt).collect()
}

fn usage(usage: model::Usage) -> wire::Usage {
    wire::Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cached_tokens: usage.cached_tokens,
        cache_write_tokens: usage.cache_write_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        cost_usd: usage.cost_usd(),
    }
}

pub fn today(today: Today) -> wire::UsageToday {
    let Today { day, tally } = today;
    wire::UsageToday {
        day: day.to_string(),
        calls: tally.calls,
        input_tokens: tally.input_tokens,
        output_tokens: tally.output_tokens,
        cost_usd: tally.cost_usd(),
        unpriced_calls: tally.unpriced_calls,
    }
}

fn stop_reason(reason: helm::StopReason) -> wire::StopReason {
    use wire::StopReason as Wire;
    match reason {
        helm::StopReason::EndTurn => Wire::EndTurn,
        helm::StopReason::MaxTokens => Wire::MaxTokens,
        helm::StopReason::StopSequence => Wire::StopSequence,
        helm::StopReason::Refusal => Wire::Refusal,
        helm::StopReason::ContentFilter => Wire::ContentFilter,
        helm::StopReason::ContextExceeded => Wire::ContextExceeded,
        helm::StopReason::IterationCap => Wire::IterationCap,
        helm::StopReason::DangerousSkill => Wire::DangerousSkill,
        helm::StopReason::Cancelled => Wire::Cancelled,
        helm::StopReason::Error => Wire::Error,
        helm::StopReason::ToolUse => Wire::ToolUse,
        helm::StopReason::Other => Wire::Other,
    }
}

pub fn event(session: &str, entry: Entry) -> EventParams {
    EventParams {
        session_name: session.to_owned(),
        turn_id: entry.turn_id.to_string(),
        seq: entry.seq,
        first_seq: (entry.first_seq != entry.seq).then_some(entry.first_seq),
        event: event_kind(entry.event),
    }
}

/// Up to `seq` the events are gone.
pub fn resync(session: &str, seq: u64) -> EventParams {
    let session_name = session.to_owned();
    EventParams { session_name, turn_id: String::new(), seq, first_seq: None, event: Event::Resync {} }
}

fn event_kind(event: helm::Event) -> Event {
    match event {
        helm::Event::TurnStart { iteration, provider, model } => Event::TurnStart { iteration, provider, model },
        helm::Event::TextStart { index } => Event::TextStart { index },
        helm::Event::TextDelta { index, text } => Event::TextDelta { index, text },
        helm::Event::TextStop { index, text } => Event::TextStop { index, text },
        helm::Event::ReasoningDelta { index, text } => Event::ReasoningDelta { index, text },
        helm::Event::ToolUseStart { index, id, name } => Event::ToolUseStart { index, id, name },
        helm::Event::ToolUseInput { index, id, partial } => Event::ToolUseInput { index, id, partial },
        helm::Event::ToolUseStop { index, id, name, input } => Event::ToolUseStop { index, id, name, input },
        helm::Event::ToolResult { tool_use_id, skill, outcome, duration_ms } => Event::ToolResult {
            tool_use_id,
            skill,
            ok: outcome.is_ok(),
            duration_ms,
            data: outcome.as_ref().ok().cloned(),
            error: outcome.err(),
        },
        helm::Event::ToolHeld { action_id, tool_use_id, skill, input, reason } => {
            Event::ToolHeld { action_id, tool_use_id, skill, input, reason }
        }
        helm::Event::AttemptFailed { provider, model, status, error } => {
            Event::AttemptFailed { provider, model, status, error }
        }
        helm::Event::TurnStop { iteration, stop_reason: reason } => {
            Event::TurnStop { iteration, stop_reason: stop_reason(reason) }
        }
        helm::Event::Error { outcome } => match turn_result(&outcome, false) {
            Err(error) => Event::Error { error: Box::new(error.into_event()) },
            Ok(_) => Event::Resync {},
        },
        helm::Event::LoopDone { outcome } => match turn_result(&outcome, false) {
            Ok(result) => Event::LoopDone { stop_reason: result.stop_reason, result: Some(Box::new(result)) },
            Err(_) => Event::LoopDone { stop_reason: wire::StopReason::Error, result: None },
        },
    }
}

pub fn session_message(row: MessageRow) -> wire::SessionMessage {
    let role = match row.message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let text = row.message.plain_text();
    let content = if row.message.role == Role::Assistant { parse_action_blocks(&text).1 } else { text };
    let blocks = row.message.blocks.iter().filter_map(shown_block).collect();
    wire::SessionMessage {
        id: row.id.to_string(),
        turn_id: row.turn_id,
        role: role.to_owned(),
        content,
        blocks,
        provider: row.provider,
        created_at: row.created_at,
    }
}

/// What a vendor keeps in a conversation for itself is nobody else's business.
fn shown_block(block: &Block) -> Option<Value> {
    Some(match block {
        Block::ToolCall(call) => {
            let input = call.input().unwrap_or_else(|_| call.arguments.clone().into());
            json!({"type": "tool-call", "toolUseId": call.id, "skill": call.name, "input": input})
        }
        Block::ToolResult(result) => json!({
            "type": "tool-result",
            "toolUseId": result.call_id,
            "skill": result.name,
            "ok": !result.is_error,
            "content": result.content,
        }),
        Block::Image { source: ImageSource::Url { url } } => json!({"type": "image", "url": url}),
        Block::Image { source: ImageSource::Base64 { media_type, data } } => {
            json!({"type": "image", "mediaType": media_type, "data": data})
        }
        Block::Text { .. } | Block::Reasoning { .. } | Block::Foreign { .. } => return None,
    })
}

pub fn session(row: SessionRow, running: bool) -> wire::SessionSummary {
    wire::SessionSummary {
        session_name: row.name,
        created_at: row.created_at,
        updated_at: row.updated_at,
        message_count: row.message_count,
        held_count: row.held_count,
        running,
        thread_id: row.thread_id,
    }
}

pub fn skill(spec: &SkillSpec) -> wire::SkillRow {
    wire::SkillRow {
        id: spec.id.clone(),
        description: spec.description.clone(),
        plugin: spec.plugin.clone(),
        tags: spec.tags.clone(),
        input_schema: spec.input_schema.clone(),
        dangerous: spec.dangerous,
    }
}

pub fn model_row(model: ModelInfo) -> wire::ModelRow {
    wire::ModelRow { id: model.id, name: model.name, context_window: model.context_window }
}

pub fn approval(request: &helm::ApprovalRequest) -> wire::ApprovalParams {
    wire::ApprovalParams {
        approval_id: request.id.clone(),
        session_name: request.session.clone(),
        turn_id: request.turn_id.clone(),
        actions: request.actions.iter().map(action).collect(),
        deadline_ms: millis(request.deadline),
    }
}

pub fn approval_resolved(
    request: &helm::ApprovalRequest,
    decision: Option<&helm::Decision>,
) -> wire::ApprovalResolvedParams {
    let decision = decision.map(|decision| match decision {
        helm::Decision::Approve(_) => wire::Decision::Approve,
        helm::Decision::Deny => wire::Decision::Deny,
    });
    wire::ApprovalResolvedParams { approval_id: request.id.clone(), session_name: request.session.clone(), decision }
}
