//! Tokens spent. `None` means the provider did not say, which is not zero.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Everything the model read, cached or not.
    pub input_tokens: Option<u64>,
    /// Everything the model wrote, reasoning included.
    pub output_tokens: Option<u64>,
    /// The part of the input that came from a cache.
    pub cached_tokens: Option<u64>,
    /// The part of the input that was written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// The part of the output that was reasoning.
    pub reasoning_tokens: Option<u64>,
    /// What the call cost, in billionths of a US dollar, where the vendor says so or a price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<u64>,
}

impl Usage {
    /// A later report of the same call: what it says replaces, what it leaves out stays.
    pub fn replace_with(&mut self, later: Usage) {
        self.each_mut(later, |_, new| new);
    }

    /// In US dollars, for those who show it.
    pub fn cost_usd(&self) -> Option<f64> {
        self.cost_nano_usd.map(|nano| nano as f64 / 1e9)
    }

    /// The sum over several calls.
    pub fn add(&mut self, other: Usage) {
        self.each_mut(other, u64::saturating_add);
    }

    fn each_mut(&mut self, other: Usage, merge: fn(u64, u64) -> u64) {
        let join = |mine: &mut Option<u64>, theirs: Option<u64>| {
            if let Some(new) = theirs {
                *mine = Some(merge(mine.unwrap_or(0), new));
            }
        };
        join(&mut self.input_tokens, other.input_tokens);
        join(&mut self.output_tokens, other.output_tokens);
        join(&mut self.cached_tokens, other.cached_tokens);
        join(&mut self.cache_write_tokens, other.cache_write_tokens);
        join(&mut self.reasoning_tokens, other.reasoning_tokens);
        join(&mut self.cost_nano_usd, other.cost_nano_usd);
    }
}

/// Money is kept whole, in billionths of a US dollar, and shown in dollars.
pub fn usd(nano_usd: u64) -> f64 {
    nano_usd as f64 / 1e9
}
