//! Counts of tokens, in the places where servers put them. What cannot be read is not counted.

use serde::Deserialize;

use crate::model::Usage;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_cache_hit_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// US dollars, of OpenRouter.
    cost: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Groq {
    usage: Option<WireUsage>,
}

pub(super) fn read(json: &str) -> Option<Usage> {
    serde_json::from_str(json).ok().as_ref().map(convert)
}

/// Groq has them in an extension of its own as well.
pub(super) fn read_groq(json: &str) -> Option<Usage> {
    serde_json::from_str::<Groq>(json).ok()?.usage.as_ref().map(convert)
}

fn convert(wire: &WireUsage) -> Usage {
    let prompt = wire.prompt_tokens_details.as_ref();
    let reasoning = wire.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens);
    let counted = wire.prompt_tokens.zip(wire.completion_tokens).map(|(input, output)| input.saturating_add(output));
    // xAI leaves reasoning out of the completion, but not out of the total.
    let apart = reasoning
        .filter(|reasoning| counted.map(|sum| sum.saturating_add(*reasoning)) == wire.total_tokens)
        .unwrap_or(0);
    Usage {
        input_tokens: wire.prompt_tokens,
        output_tokens: wire.completion_tokens.map(|output| output.saturating_add(apart)),
        cached_tokens: prompt.and_then(|details| details.cached_tokens).or(wire.prompt_cache_hit_tokens),
        cache_write_tokens: prompt.and_then(|details| details.cache_write_tokens),
        reasoning_tokens: reasoning,
        cost_nano_usd: wire.cost.filter(|cost| *cost >= 0.0).map(|cost| (cost * 1e9).round() as u64),
    }
}
