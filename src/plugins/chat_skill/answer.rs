//! One question asked to its end, and the shape in which every chat skill gives the answer.

use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use crate::model::{Completion, Fold, Provider, ProviderError, Request, Stop, Usage};

/// A vendor's own tool loop may pause this often before it is left at that.
const MAX_PAUSES: usize = 8;

/// Goes on when the vendor pauses: the parts become one answer.
pub(in crate::plugins) async fn complete(
    provider: &dyn Provider,
    mut request: Request,
) -> Result<Completion, ProviderError> {
    let mut whole = ask(provider, request.clone()).await?;
    for _ in 0..MAX_PAUSES {
        if whole.stop != Stop::Pause {
            break;
        }
        // Sent back as it is, the answer so far makes the vendor go on.
        request.messages.push(whole.message.clone());
        let part = ask(provider, request.clone()).await?;
        request.messages.pop();
        whole.message.blocks.extend(part.message.blocks);
        whole.usage.add(part.usage);
        whole.metadata.extend(part.metadata);
        whole.stop = part.stop;
        whole.model = part.model.or(whole.model);
    }
    Ok(whole)
}

async fn ask(provider: &dyn Provider, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

/// `path`, `threadId` and `response` are there when the provider has them to tell.
pub(in crate::plugins) fn output(completion: Completion, model: Option<String>, provider: &str) -> Value {
    let calls = completion.message.tool_calls().map(|call| {
        let input = call.input().unwrap_or_else(|_| Value::String(call.arguments.clone()));
        json!({ "id": call.id, "name": call.name, "input": input })
    });
    let mut output = json!({
        "text": completion.message.plain_text(),
        "toolCalls": calls.collect::<Vec<_>>(),
        "usage": usage(&completion.usage),
        "stopReason": stop_reason(&completion.stop),
        "model": model,
        "provider": provider,
    });
    if let Stop::Refusal(Some(reason)) = completion.stop {
        output["refusal"] = json!(reason);
    }
    let mut metadata = completion.metadata;
    for name in ["path", "threadId", "response"] {
        if let Some(value) = metadata.remove(name) {
            output[name] = value;
        }
    }
    if !metadata.is_empty() {
        output["metadata"] = Value::Object(metadata);
    }
    output
}

/// What the vendor did not say is left out.
fn usage(usage: &Usage) -> Value {
    let counts = [
        ("inputTokens", usage.input_tokens),
        ("outputTokens", usage.output_tokens),
        ("cachedTokens", usage.cached_tokens),
        ("cacheWriteTokens", usage.cache_write_tokens),
        ("reasoningTokens", usage.reasoning_tokens),
    ];
    let known = counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), json!(count?))));
    let cost = usage.cost_usd().map(|cost| ("costUsd".to_owned(), json!(cost)));
    Value::Object(known.chain(cost).collect::<Map<_, _>>())
}

fn stop_reason(stop: &Stop) -> &str {
    match stop {
        Stop::EndTurn => "end-turn",
        Stop::ToolUse => "tool-use",
        Stop::MaxTokens => "max-tokens",
        Stop::StopSequence => "stop-sequence",
        Stop::Refusal(_) => "refusal",
        Stop::ContentFilter => "content-filter",
        Stop::ContextExceeded => "context-exceeded",
        Stop::Pause => "pause",
        Stop::Other(reason) => reason,
    }
}
