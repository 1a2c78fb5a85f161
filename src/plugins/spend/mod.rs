//! What calls of models spend: counted for every call, and held to the daily cap before it is made.
//!
//! A [`Meter`] stands around every provider of a plugin (`super::gate` sees to it), so that turns, skills, fallbacks
//! and streams pass through it alike. A call costs what its vendor says, or what the `[[price]]` tables make of its
//! tokens. Once the cap is reached no call is made but of models whose price is given as nothing. Calls under way count
//! with what they may cost, so that many at once do not run past the cap together. What a model without a price costs is
//! not known: it is called until then, counted apart, and told of, for the cap does not hold for it.
//!
//! `account` holds the sums and decides, `call` follows one call, `engine` the turns of an engine, `price` and `estimate` reckon, `rows` are the sums on
//! their way to the ledger.

mod account;
mod call;
mod engine;
mod estimate;
mod price;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use url::Url;

use crate::config::{Price, Spend};
use crate::model::{
    Day, DeltaStream, Engine, ErrorKind, Ledger, LedgerError, LedgerRow, ModelInfo, Provider, ProviderError, Request,
    Tally, Usage,
};
use crate::policy::Redactor;
use account::{Account, Clock, Refused, Standing};
use call::{Call, Progress};
use engine::MeteredEngine;

const HINT: &str =
    "raise DAILY_SPEND_CAP_USD or wait until 00:00 UTC; a model with a [[price]] of 0 may still be called";

const HINT_UNDER_WAY: &str = "ask again when the calls under way have ended, or raise DAILY_SPEND_CAP_USD";

/// Names come from clients, and need not be longer to be told apart.
const NAME_BYTES: usize = 200;

/// Cloning shares the sums.
#[derive(Clone)]
pub struct Meter {
    account: Arc<Account>,
    prices: Arc<RwLock<Arc<[Price]>>>,
    redactor: Redactor,
}

/// Whether another call may be made now.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    pub today: Today,
    pub cap_nano_usd: Option<u64>,
    /// Why not, if it may not.
    pub refusal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Today {
    pub day: Day,
    pub tally: Tally,
}

impl Meter {
    /// Without a ledger the sums are those of this process.
    pub fn new(spend: &Spend, ledger: Option<Arc<dyn Ledger>>, redactor: Redactor) -> Self {
        Self::at(Arc::new(SystemTime::now), spend, ledger, redactor)
    }

    fn at(clock: Clock, spend: &Spend, ledger: Option<Arc<dyn Ledger>>, redactor: Redactor) -> Self {
        let account = Arc::new(Account::new(spend.daily_cap_nano_usd, ledger, clock));
        let prices = Arc::new(RwLock::new(spend.prices.clone().into()));
        Self { account, prices, redactor }
    }

    /// From now on calls are held to this cap and reckoned with these prices; what was spent stays spent.
    pub(super) fn adopt(&self, spend: &Spend) {
        self.account.cap_at(spend.daily_cap_nano_usd);
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = spend.prices.clone().into();
    }

    pub(super) fn watch(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Metered { inner, meter: self.clone() })
    }

    pub(super) fn watch_engine(&self, inner: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(MeteredEngine { inner, meter: self.clone() })
    }

    /// All processes together, calls that have ended. By day, then provider, then model.
    pub async fn rows(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        self.account.rows(first, last).await
    }

    /// As [`Self::rows`], of all days and by provider.
    pub async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError> {
        self.account.sums().await
    }

    pub fn day(&self) -> Day {
        self.account.today()
    }

    pub async fn today(&self) -> Result<Today, LedgerError> {
        let Standing { day, tally, .. } = self.account.standing().await?;
        Ok(Today { day, tally })
    }

    pub async fn allowance(&self) -> Result<Allowance, LedgerError> {
        let standing = self.account.standing().await?;
        let cap_nano_usd = self.account.cap_nano_usd();
        let refusal = cap_nano_usd.filter(|cap| standing.reckoned() >= *cap).map(|cap| reached(&standing, cap));
        Ok(Allowance { today: Today { day: standing.day, tally: standing.tally }, cap_nano_usd, refusal })
    }

    /// Writes down what was spent, once the calls have ended that are being cut off; these are waited for so long.
    pub async fn close(&self, patience: Duration) {
        self.account.close(patience).await;
    }

    async fn begin(&self, provider: &dyn Provider, request: &Request) -> Result<Call, ProviderError> {
        let model = request.model.as_deref().or(provider.default_model()).unwrap_or_default();
        let (input_tokens, output_tokens) = (estimate::input_tokens(request), estimate::output_tokens(request));
        self.begin_call(provider.id(), model, input_tokens, output_tokens).await
    }

    /// The tokens as they are estimated.
    async fn begin_call(
        &self,
        provider: &str,
        model: &str,
        input_tokens: u64,
        output_tokens: u64,
    ) -> Result<Call, ProviderError> {
        let mut call = self.call(provider, model, input_tokens);
        let usage = Usage { input_tokens: Some(input_tokens), output_tokens: Some(output_tokens), ..Usage::default() };
        let reserved_nano_usd = call.price.as_ref().map_or(0, |price| price::cost(price, &usage));
        let free = call.price.as_ref().is_some_and(price::is_free);
        let begun = self.account.begin(reserved_nano_usd, free).await;
        // One that was refused has not begun, and does not end.
        call.progress = if begun.is_ok() { Progress::Open } else { Progress::Ended };
        begun.map_err(refused)?;
        call.reserved_nano_usd = reserved_nano_usd;
        Ok(call)
    }

    /// One that was made without asking.
    fn open_call(&self, provider: &str, model: &str, input_tokens: u64) -> Call {
        self.account.begin_free();
        let mut call = self.call(provider, model, input_tokens);
        call.progress = Progress::Open;
        call
    }

    fn call(&self, provider: &str, model: &str, input_tokens: u64) -> Call {
        Call {
            meter: self.clone(),
            provider: provider.to_owned(),
            model: self.name(model),
            price: self.price(provider, model),
            input_tokens,
            reserved_nano_usd: 0,
            usage: Usage::default(),
            written: 0,
            progress: Progress::Ended,
        }
    }

    /// Whether a call might begin now.
    async fn may_call(&self, provider: &str, model: &str) -> Result<(), ProviderError> {
        let mut call = self.begin_call(provider, model, 0, 0).await?;
        call.progress = Progress::Void;
        Ok(())
    }

    fn price(&self, provider: &str, model: &str) -> Option<Price> {
        let prices = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        price::find(&prices, provider, model).cloned()
    }

    /// A key that stands where a name should is not kept.
    fn name(&self, model: &str) -> String {
        let mut name = self.redactor.redact(model);
        name.truncate(name.floor_char_boundary(NAME_BYTES));
        name
    }
}

fn refused(refused: Refused) -> ProviderError {
    match refused {
        Refused::Capped(standing, cap) => {
            let error = ProviderError::new(ErrorKind::SpendCap, reached(&standing, cap));
            match standing.tally.cost_nano_usd < cap {
                true => ProviderError { retryable: true, ..error.with_hint(HINT_UNDER_WAY) },
                false => error.with_hint(HINT),
            }
        }
        Refused::Unknown(error) => {
            let message = format!("what was spent today cannot be read, so the daily cap cannot be kept: {error}");
            ProviderError::new(ErrorKind::SpendCap, message).with_hint("mend that, or unset DAILY_SPEND_CAP_USD")
        }
    }
}

fn reached(standing: &Standing, cap: u64) -> String {
    let spent = dollars(standing.tally.cost_nano_usd);
    let under_way = match standing.reserved_nano_usd {
        0 => String::new(),
        reserved => format!(", and calls under way may cost {}", dollars(reserved)),
    };
    format!("the daily cap of {} is reached: {spent} are spent today (UTC){under_way}", dollars(cap))
}

/// To the cent, or as far as it has digits: `$1.50`, `$0.000012`.
fn dollars(nano_usd: u64) -> String {
    const DOLLAR: u64 = 1_000_000_000;
    let digits = format!("{:09}", nano_usd % DOLLAR);
    let (cents, rest) = digits.split_at(2);
    format!("${}.{cents}{}", nano_usd / DOLLAR, rest.trim_end_matches('0'))
}

struct Metered {
    inner: Arc<dyn Provider>,
    meter: Meter,
}

#[async_trait]
impl Provider for Metered {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<&str> {
        self.inner.default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let mut call = self.meter.begin(&*self.inner, &request).await?;
        let deltas = match self.inner.stream(request).await {
            Ok(deltas) => deltas,
            Err(error) => {
                call.failed(&error);
                return Err(error);
            }
        };
        // The call goes with the stream: dropping one ends the other.
        let noted = move |delta: Result<_, _>| {
            delta.map(|mut delta| {
                call.note(&mut delta);
                delta
            })
        };
        Ok(deltas.map(noted).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.inner.models().await
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        self.inner.count_tokens(request).await
    }

    fn lack(&self) -> Option<String> {
        self.inner.lack()
    }

    fn endpoints(&self) -> Vec<Url> {
        self.inner.endpoints()
    }
}
