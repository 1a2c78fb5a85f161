//! What a trace is told of a turn, by OpenTelemetry's conventions for agents: who was asked, how much it took and how it
//! ended. Nothing that anybody said is in it.

use tracing::Span;
use tracing::field::Empty;

use super::HelmError;
use super::attempts::Candidate;
use super::request::{StopReason, TurnOutcome};
use crate::model::Usage;
use crate::sessions::TurnRow;

pub fn turn(row: &TurnRow) -> Span {
    tracing::info_span!(
        target: "open_think::telemetry",
        "invoke_agent",
        otel.name = "invoke_agent helm",
        otel.status_code = Empty,
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "helm",
        gen_ai.conversation.id = row.session,
        gen_ai.provider.name = Empty,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        open_think.turn.id = row.id,
        open_think.mode = ?row.settings.mode,
        open_think.iterations = Empty,
        open_think.stop_reason = Empty,
        error.type = Empty,
    )
}

pub fn turn_ended(span: &Span, outcome: &TurnOutcome) {
    match outcome {
        Ok(result) => {
            let Usage { input_tokens, output_tokens, .. } = result.usage;
            // Whole numbers without a sign become texts there.
            let signed = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
            span.record("gen_ai.provider.name", &result.used.provider)
                .record("gen_ai.response.model", &result.used.model)
                .record("gen_ai.usage.input_tokens", signed(input_tokens))
                .record("gen_ai.usage.output_tokens", signed(output_tokens))
                .record("open_think.iterations", i64::from(result.iterations_used))
                .record("open_think.stop_reason", stop(result.stop_reason));
        }
        Err(error) => {
            span.record("otel.status_code", "ERROR").record("error.type", kind(error));
        }
    }
}

/// A turn, or the rest of one, that an engine runs.
pub fn engine(candidate: &Candidate) -> Span {
    let model = candidate.model().unwrap_or_default();
    tracing::info_span!(
        target: "open_think::telemetry",
        "chat",
        otel.name = format_args!("chat {model}"),
        otel.kind = "client",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = candidate.id,
        gen_ai.request.model = model,
    )
}

fn stop(reason: StopReason) -> String {
    format!("{reason:?}")
}

/// Few and fixed: the sentence may quote what somebody said.
fn kind(error: &HelmError) -> String {
    match error {
        HelmError::Provider { error, .. }
        | HelmError::FallbacksExhausted { error, .. }
        | HelmError::Waits { error, .. } => format!("{:?}", error.kind),
        HelmError::NoProvider { .. } => "NoProvider".to_owned(),
        HelmError::Overloaded { .. } | HelmError::Busy { .. } => "Busy".to_owned(),
        HelmError::BadRequest { .. } | HelmError::EmptyInput { .. } => "BadRequest".to_owned(),
        HelmError::Unheard { .. } => "Unheard".to_owned(),
        HelmError::Store(_) => "Store".to_owned(),
        HelmError::Lost => "Lost".to_owned(),
    }
}
