//! One call, from the decision that it may be made to what it has come to.
//!
//! What the vendor reports counts. What it leaves out is estimated from the bytes, and the row says so: of an answer
//! that broke off or was cancelled the output is at least what had come by then. A call that failed before its answer
//! counts only where the model may have worked all the same: it took too long, was cancelled, or its answer broke off.

use super::{Meter, estimate, price};
use crate::config::Price;
use crate::model::{Delta, ErrorKind, LedgerRow, ProviderError, Tally, Usage};

/// Ended when it is dropped, if not before.
pub(super) struct Call {
    pub(super) meter: Meter,
    pub(super) provider: String,
    /// As it was asked for; empty until the answer says it, where the provider was left to choose.
    pub(super) model: String,
    pub(super) price: Option<Price>,
    pub(super) input_tokens: u64,
    pub(super) reserved_nano_usd: u64,
    /// As the vendor reports it.
    pub(super) usage: Usage,
    /// Bytes of the answer so far.
    pub(super) written: usize,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Progress {
    Open,
    Finished,
    /// Nothing was done for it.
    Void,
    Ended,
}

impl Call {
    /// Takes note of a delta, and puts the cost in where the vendor does not say it.
    pub(super) fn note(&mut self, delta: &mut Delta) {
        self.written += estimate::written(delta);
        match delta {
            Delta::Model(model) => self.answered_by(model),
            Delta::Usage(usage) => {
                self.usage.replace_with(*usage);
                if self.usage.cost_nano_usd.is_none() {
                    usage.cost_nano_usd = self.price.as_ref().map(|price| price::cost(price, &self.usage));
                }
            }
            Delta::Finished(_) => {
                self.progress = Progress::Finished;
                self.end();
            }
            _ => {}
        }
    }

    /// The model that answers has its price even where nobody named it, or not by this name.
    fn answered_by(&mut self, model: &str) {
        if self.price.is_none() {
            self.price = self.meter.price(&self.provider, model);
        }
        if self.model.is_empty() {
            self.model = self.meter.name(model);
        }
    }

    pub(super) fn failed(mut self, error: &ProviderError) {
        if !matches!(error.kind, ErrorKind::Timeout | ErrorKind::Truncated) {
            self.progress = Progress::Void;
        }
    }

    fn end(&mut self) {
        let spent = match std::mem::replace(&mut self.progress, Progress::Ended) {
            Progress::Ended => return,
            Progress::Void => None,
            Progress::Open => Some(self.row(false)),
            Progress::Finished => Some(self.row(true)),
        };
        self.meter.account.end(self.reserved_nano_usd, spent);
    }

    fn row(&self, finished: bool) -> LedgerRow {
        let written = estimate::tokens(self.written);
        let mut usage = self.usage;
        usage.input_tokens.get_or_insert(self.input_tokens);
        // Some vendors count the output when they begin, and once more at the end.
        let least = if finished { 0 } else { written };
        usage.output_tokens = Some(usage.output_tokens.map_or(written, |said| said.max(least)));
        let estimated =
            (usage.input_tokens, usage.output_tokens) != (self.usage.input_tokens, self.usage.output_tokens);
        if usage.cost_nano_usd.is_none() {
            usage.cost_nano_usd = self.price.as_ref().map(|price| price::cost(price, &usage));
        }
        LedgerRow {
            day: self.meter.account.today(),
            provider: self.provider.clone(),
            model: self.model.clone(),
            tally: Tally::of_call(&usage, estimated),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end();
    }
}
