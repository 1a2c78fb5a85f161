//! The port to what calls have spent, day by day. No row holds anything that was said, and no key.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Day, Usage};

/// What calls of one model came to on one day.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    pub day: Day,
    /// A plugin.
    pub provider: String,
    /// As it was asked for, or as it called itself where nobody named one.
    pub model: String,
    pub tally: Tally,
}

/// Sums. They stop at the largest number and never turn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    /// Calls of which nobody knows what they cost.
    pub unpriced_calls: u64,
    /// Calls whose tokens were estimated in part, for the provider did not say or the answer broke off.
    pub estimated_calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
    pub reasoning_tokens: u64,
    /// In billionths of a US dollar, without the calls that are not priced.
    pub cost_nano_usd: u64,
}

/// One sentence, with the way out in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

#[async_trait]
pub trait Ledger: Send + Sync {
    /// Adds to what is there, whoever wrote it. When this returns, all of it survives the process; on an error, none
    /// of it was kept.
    async fn add(&self, rows: Vec<LedgerRow>) -> Result<(), LedgerError>;

    /// From the first to the last day, both included, of all processes; by day, then provider, then model.
    async fn rows(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError>;

    /// Of all days, by provider.
    async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError>;
}

impl Tally {
    /// One call; `usage` with its cost where that is known.
    pub fn of_call(usage: &Usage, estimated: bool) -> Self {
        Self {
            calls: 1,
            unpriced_calls: u64::from(usage.cost_nano_usd.is_none()),
            estimated_calls: u64::from(estimated),
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
            cached_tokens: usage.cached_tokens.unwrap_or(0),
            cache_write_tokens: usage.cache_write_tokens.unwrap_or(0),
            reasoning_tokens: usage.reasoning_tokens.unwrap_or(0),
            cost_nano_usd: usage.cost_nano_usd.unwrap_or(0),
        }
    }

    pub fn add(&mut self, other: &Self) {
        let Self {
            calls,
            unpriced_calls,
            estimated_calls,
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_nano_usd,
        } = self;
        let sums = [
            (calls, other.calls),
            (unpriced_calls, other.unpriced_calls),
            (estimated_calls, other.estimated_calls),
            (input_tokens, other.input_tokens),
            (output_tokens, other.output_tokens),
            (cached_tokens, other.cached_tokens),
            (cache_write_tokens, other.cache_write_tokens),
            (reasoning_tokens, other.reasoning_tokens),
            (cost_nano_usd, other.cost_nano_usd),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
    }

    pub fn total<'a>(rows: impl IntoIterator<Item = &'a LedgerRow>) -> Self {
        let mut total = Self::default();
        rows.into_iter().for_each(|row| total.add(&row.tally));
        total
    }

    /// In US dollars, for those who show it.
    pub fn cost_usd(&self) -> f64 {
        self.cost_nano_usd as f64 / 1e9
    }

    /// What the models read and wrote.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
