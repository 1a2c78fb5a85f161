//! The meter around providers that play a script, on a clock that stands still until it is moved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::{FutureExt, stream};
use tokio::sync::Notify;

use super::*;

#[path = "engine_tests.rs"]
mod engine;

use crate::model::{Delta, Message, Role, Stop};

/// Answers with these deltas, or hangs where they say nothing more.
struct Fake {
    deltas: Vec<Result<Delta, ProviderError>>,
    hangs: bool,
    asked: AtomicUsize,
}

impl Fake {
    fn new(deltas: Vec<Result<Delta, ProviderError>>) -> Arc<Self> {
        Arc::new(Self { deltas, hangs: false, asked: AtomicUsize::new(0) })
    }

    fn that_hangs(deltas: Vec<Result<Delta, ProviderError>>) -> Arc<Self> {
        Arc::new(Self { deltas, hangs: true, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Provider for Fake {
    fn id(&self) -> &str {
        "fake"
    }

    fn default_model(&self) -> Option<&str> {
        Some("m")
    }

    async fn stream(&self, _: Request) -> Result<DeltaStream, ProviderError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let deltas = stream::iter(self.deltas.clone());
        match &self.deltas[..] {
            [] => std::future::pending().await,
            [Err(error)] => Err(error.clone()),
            _ if self.hangs => Ok(deltas.chain(stream::pending()).boxed()),
            _ => Ok(deltas.boxed()),
        }
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

/// A ledger in memory, which can be made to fail and to take its time.
#[derive(Default)]
struct Book {
    rows: Mutex<rows::Rows>,
    fails: Mutex<bool>,
    writes: AtomicUsize,
    /// A write waits here, if there is one.
    gate: Mutex<Option<Arc<Notify>>>,
}

impl Book {
    fn outcome(&self) -> Result<(), LedgerError> {
        let fails = *self.fails.lock().unwrap();
        if fails { Err(LedgerError("the disk is full".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Ledger for Book {
    async fn add(&self, rows: Vec<LedgerRow>) -> Result<(), LedgerError> {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.outcome()?;
        let mut kept = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter().for_each(|row| kept.add(row));
        Ok(())
    }

    async fn rows(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        self.outcome()?;
        let rows = self.rows.lock().unwrap().list();
        Ok(rows.into_iter().filter(|row| (first..=last).contains(&row.day)).collect())
    }

    async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError> {
        self.outcome()?;
        let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
        for row in self.rows.lock().unwrap().list() {
            sums.entry(row.provider).or_default().add(&row.tally);
        }
        Ok(sums)
    }
}

const DOLLAR: u64 = 1_000_000_000;

/// $1 for a million tokens read, $2 for a million written.
fn price(model: &str) -> Price {
    let (input, output) = (DOLLAR, 2 * DOLLAR);
    Price { provider: None, model: model.to_owned(), input, output, cached_input: None, cache_write: None }
}

fn free(model: &str) -> Price {
    Price { input: 0, output: 0, ..price(model) }
}

/// 2026-02-28, a second before midnight.
const LATE: u64 = 1_772_323_199;

struct World {
    now: Arc<Mutex<u64>>,
    book: Arc<Book>,
    meter: Meter,
}

fn world(cap_nano_usd: Option<u64>, prices: Vec<Price>) -> World {
    world_of(cap_nano_usd, prices, Arc::default(), Arc::new(Mutex::new(LATE)))
}

fn world_of(cap_nano_usd: Option<u64>, prices: Vec<Price>, book: Arc<Book>, now: Arc<Mutex<u64>>) -> World {
    let spend = Spend { daily_cap_nano_usd: cap_nano_usd, prices };
    let time = now.clone();
    let clock = Arc::new(move || std::time::UNIX_EPOCH + Duration::from_secs(*time.lock().unwrap()));
    let redactor = Redactor::new(["sk-secret".to_owned()]);
    let ledger: Arc<dyn Ledger> = book.clone();
    World { now, book, meter: Meter::at(clock, &spend, Some(ledger), redactor) }
}

impl World {
    async fn ask(&self, provider: &Arc<Fake>, model: Option<&str>) -> Result<Vec<Delta>, ProviderError> {
        let request = Request { model: model.map(str::to_owned), ..hello() };
        let deltas = self.meter.watch(provider.clone()).stream(request).await?;
        deltas.collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn today(&self) -> Tally {
        self.meter.today().await.unwrap().tally
    }
}

/// Four tokens, by their bytes.
fn hello() -> Request {
    Request { messages: vec![Message::text(Role::User, "sixteen bytes it")], ..Request::default() }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

fn text(text: &str) -> Result<Delta, ProviderError> {
    Ok(Delta::Text { index: 0, text: text.to_owned() })
}

fn answer(usage: Usage) -> Vec<Result<Delta, ProviderError>> {
    vec![text("12345678"), Ok(Delta::Usage(usage)), Ok(Delta::Finished(Stop::EndTurn))]
}

#[tokio::test]
async fn a_call_is_priced_and_the_price_is_told() {
    let world = world(None, vec![price("m")]);
    let deltas = world.ask(&Fake::new(answer(usage(1_000_000, 250_000))), None).await.unwrap();
    let told = Usage { cost_nano_usd: Some(3 * DOLLAR / 2), ..usage(1_000_000, 250_000) };
    assert!(deltas.contains(&Delta::Usage(told)), "{deltas:?}");
    let expected = Tally {
        calls: 1,
        input_tokens: 1_000_000,
        output_tokens: 250_000,
        cost_nano_usd: 3 * DOLLAR / 2,
        ..Tally::default()
    };
    assert_eq!(world.today().await, expected);
    let day = world.meter.day();
    let rows = world.meter.rows(day, day).await.unwrap();
    assert_eq!(
        (rows[0].provider.as_str(), rows[0].model.as_str(), rows[0].day.to_string().as_str()),
        ("fake", "m", "2026-02-28")
    );
}

#[tokio::test]
async fn reports_in_parts_are_priced_together() {
    let world = world(None, vec![price("m")]);
    let part =
        |input, output| Ok(Delta::Usage(Usage { input_tokens: input, output_tokens: output, ..Usage::default() }));
    let deltas = vec![part(Some(100), Some(1)), text("a"), part(None, Some(50)), Ok(Delta::Finished(Stop::EndTurn))];
    world.ask(&Fake::new(deltas), None).await.unwrap();
    assert_eq!(world.today().await.cost_nano_usd, 200_000);
}

#[tokio::test]
async fn what_the_vendor_says_it_cost_holds_over_the_price() {
    let world = world(None, vec![price("m")]);
    let said = Usage { cost_nano_usd: Some(7), ..usage(1_000_000, 0) };
    let early = Ok(Delta::Usage(usage(1_000_000, 0)));
    let deltas = vec![text("a"), early, Ok(Delta::Usage(said)), Ok(Delta::Finished(Stop::EndTurn))];
    let deltas = world.ask(&Fake::new(deltas), None).await.unwrap();
    assert!(deltas.contains(&Delta::Usage(said)), "{deltas:?}");
    assert_eq!(world.today().await.cost_nano_usd, 7);
}

#[tokio::test]
async fn the_cap_is_exact_and_nothing_is_asked_behind_it() {
    let world = world(Some(DOLLAR), vec![price("m")]);
    let fake = Fake::new(answer(usage(999_999, 0)));
    world.ask(&fake, None).await.unwrap();
    assert_eq!(world.meter.allowance().await.unwrap().refusal, None);
    world.ask(&Fake::new(answer(usage(1, 0))), None).await.unwrap();
    let error = world.ask(&fake, None).await.unwrap_err();
    assert_eq!((error.kind, error.retryable, fake.asked()), (ErrorKind::SpendCap, false, 1));
    assert_eq!(error.message, "the daily cap of $1.00 is reached: $1.00 are spent today (UTC)");
    assert!(error.hint.unwrap().contains("raise DAILY_SPEND_CAP_USD or wait until 00:00 UTC"));
    let allowance = world.meter.allowance().await.unwrap();
    assert_eq!((allowance.refusal, allowance.cap_nano_usd), (Some(error.message), Some(DOLLAR)));
    assert_eq!(world.today().await.calls, 2, "one that was refused is no call");
}

#[tokio::test]
async fn a_cap_of_nothing_allows_nothing_but_what_is_free() {
    let world = world(Some(0), vec![free("free-*"), price("m")]);
    let fake = Fake::new(answer(usage(1, 1)));
    assert!(world.ask(&fake, None).await.is_err());
    assert!(world.ask(&fake, Some("unknown")).await.is_err(), "what it costs nobody knows");
    world.ask(&fake, Some("free-1")).await.unwrap();
    assert_eq!(fake.asked(), 1);
}

#[tokio::test]
async fn calls_under_way_count_with_what_they_may_cost() {
    // Each reads four tokens and may write a thousand, or as many as it is allowed: room for two and a half.
    for (max_tokens, cap, under_way) in [(None, 5_010_000, "$0.006012"), (Some(3), 25_000, "$0.00003")] {
        let world = world(Some(cap), vec![price("m")]);
        let fake = Fake::that_hangs(vec![text("a")]);
        let watched = world.meter.watch(fake.clone());
        let calls = (0..10).map(|_| watched.stream(Request { max_tokens, ..hello() }));
        let (begun, refused): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(calls).await.into_iter().partition(Result::is_ok);
        assert_eq!((begun.len(), refused.len(), fake.asked()), (3, 7, 3), "the third begins below the cap");
        let error = refused.into_iter().next().unwrap().err().unwrap();
        let end = format!("$0.00 are spent today (UTC), and calls under way may cost {under_way}");
        assert!(error.message.ends_with(&end), "{error}");
        assert!(error.retryable && error.hint.unwrap().starts_with("ask again when the calls under way have ended"));
        drop(begun);
        assert_eq!(world.meter.allowance().await.unwrap().today.tally.calls, 3);
    }
}

#[tokio::test]
async fn a_call_without_a_price_is_made_and_counted_apart() {
    let world = world(Some(DOLLAR), Vec::new());
    world.ask(&Fake::new(answer(usage(5, 5))), None).await.unwrap();
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.unpriced_calls, tally.cost_nano_usd), (1, 1, 0));
}

#[tokio::test]
async fn the_model_that_answers_gives_the_price_and_the_name_that_nobody_said() {
    let world = world(Some(DOLLAR), vec![price("chosen"), price("m-2026")]);
    let by = |model: &str| {
        let parts = [Ok(Delta::Model(model.to_owned()))].into_iter().chain(answer(usage(1_000_000, 0)));
        Fake::new(parts.collect())
    };
    let deltas = world.ask(&by("m-2026"), Some("m-latest")).await.unwrap();
    let told = |delta: &Delta| matches!(delta, Delta::Usage(usage) if usage.cost_nano_usd == Some(DOLLAR));
    assert!(deltas.iter().any(told), "{deltas:?}");
    assert!(world.ask(&by("chosen"), Some("")).await.is_err(), "the cap is reached");
    *world.now.lock().unwrap() += 1;
    world.ask(&by("chosen"), Some("")).await.unwrap();
    let rows = world.meter.rows(Day::default(), world.meter.day()).await.unwrap();
    let shown: Vec<_> = rows.iter().map(|row| (row.model.as_str(), row.tally.cost_nano_usd)).collect();
    assert_eq!(shown, [("m-latest", DOLLAR), ("chosen", DOLLAR)]);
}

#[tokio::test]
async fn a_stream_that_breaks_off_counts_what_came() {
    let world = world(None, vec![price("m")]);
    let broken = || Err(ProviderError::new(ErrorKind::Truncated, "it broke off"));
    let early = Ok(Delta::Usage(usage(100, 1)));
    world.ask(&Fake::new(vec![early, text("12345678"), broken()]), None).await.unwrap_err();
    let expected = Tally {
        calls: 1,
        estimated_calls: 1,
        input_tokens: 100,
        output_tokens: 2,
        cost_nano_usd: 104_000,
        ..Tally::default()
    };
    assert_eq!(world.today().await, expected);
}

#[tokio::test]
async fn a_cancelled_stream_counts_at_once() {
    let world = world(None, vec![price("m")]);
    let fake = Fake::that_hangs(vec![text("12345678")]);
    let mut deltas = world.meter.watch(fake).stream(hello()).await.unwrap();
    deltas.next().await;
    drop(deltas);
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.estimated_calls, tally.input_tokens, tally.output_tokens), (1, 1, 4, 2));
}

#[tokio::test]
async fn a_call_that_is_cancelled_before_its_answer_counts_its_input() {
    let world = world(None, vec![price("m")]);
    let watched = world.meter.watch(Fake::new(Vec::new()));
    assert!(watched.stream(hello()).now_or_never().is_none());
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.estimated_calls, tally.input_tokens, tally.output_tokens), (1, 1, 4, 0));
}

#[tokio::test]
async fn a_refusal_costs_nothing_and_a_timeout_may() {
    let world = world(None, vec![price("m")]);
    for (kind, calls) in
        [(ErrorKind::Auth, 0), (ErrorKind::Unavailable, 0), (ErrorKind::Network, 0), (ErrorKind::Timeout, 1)]
    {
        world.ask(&Fake::new(vec![Err(ProviderError::new(kind, "no"))]), None).await.unwrap_err();
        assert_eq!(world.today().await.calls, calls, "{kind:?}");
    }
}

#[tokio::test]
async fn an_answer_without_counts_is_estimated() {
    let world = world(None, vec![price("m")]);
    world.ask(&Fake::new(vec![text("12345678"), Ok(Delta::Finished(Stop::EndTurn))]), None).await.unwrap();
    let expected = Tally {
        calls: 1,
        estimated_calls: 1,
        input_tokens: 4,
        output_tokens: 2,
        cost_nano_usd: 8_000,
        ..Tally::default()
    };
    assert_eq!(world.today().await, expected);
}

#[tokio::test]
async fn the_cap_begins_anew_at_midnight() {
    let world = world(Some(DOLLAR), vec![price("m")]);
    let fake = Fake::new(answer(usage(1_000_000, 0)));
    world.ask(&fake, None).await.unwrap();
    world.ask(&fake, None).await.unwrap_err();
    *world.now.lock().unwrap() += 1;
    world.ask(&fake, None).await.unwrap();
    let rows = world.meter.rows(Day::default(), world.meter.day()).await.unwrap();
    let days: Vec<String> = rows.iter().map(|row| format!("{}: {}", row.day, row.tally.calls)).collect();
    assert_eq!(days, ["2026-02-28: 1", "2026-03-01: 1"]);
}

#[tokio::test]
async fn what_other_processes_spent_counts() {
    let ours = world(Some(DOLLAR), vec![price("m")]);
    let theirs = world_of(Some(DOLLAR), vec![price("m")], ours.book.clone(), ours.now.clone());
    let fake = Fake::new(answer(usage(600_000, 0)));
    ours.ask(&fake, None).await.unwrap();
    theirs.ask(&fake, None).await.unwrap();
    theirs.meter.close(Duration::ZERO).await;
    ours.ask(&fake, None).await.unwrap_err();
    assert_eq!(fake.asked(), 2);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_ledger_and_nothing_counts_twice() {
    let world = world(None, vec![price("m")]);
    let gate = Arc::new(Notify::new());
    *world.book.gate.lock().unwrap() = Some(gate.clone());
    let fake = Fake::new(answer(usage(1, 0)));
    for _ in 0..3 {
        world.ask(&fake, None).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(world.book.writes.load(Ordering::SeqCst), 0, "the write is under way");
    let today = world.meter.today();
    let opened = async {
        tokio::task::yield_now().await;
        gate.notify_one();
    };
    let (today, ()) = futures_util::future::join(today, opened).await;
    assert_eq!(today.unwrap().tally.calls, 3);
    *world.book.gate.lock().unwrap() = None;
    world.meter.close(Duration::ZERO).await;
    assert_eq!(world.book.rows.lock().unwrap().list()[0].tally.calls, 3);
}

#[tokio::test(start_paused = true)]
async fn calls_that_follow_each_other_share_a_write() {
    let world = world(None, Vec::new());
    let fake = Fake::new(answer(usage(1, 0)));
    for _ in 0..100 {
        world.ask(&fake, None).await.unwrap();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.book.writes.load(Ordering::SeqCst), 2);
    assert_eq!(world.book.rows.lock().unwrap().list()[0].tally.calls, 100);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_loses_nothing() {
    let world = world(None, Vec::new());
    *world.book.fails.lock().unwrap() = true;
    let fake = Fake::new(answer(usage(1, 0)));
    for _ in 0..3 {
        world.ask(&fake, None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(world.meter.today().await.is_err());
    *world.book.fails.lock().unwrap() = false;
    assert_eq!(world.today().await.calls, 3);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(world.book.rows.lock().unwrap().list()[0].tally.calls, 3, "it is tried again");
}

#[tokio::test]
async fn a_cap_that_cannot_be_looked_up_refuses_all_but_what_is_free() {
    let world = world(Some(DOLLAR), vec![free("free"), price("m")]);
    *world.book.fails.lock().unwrap() = true;
    let fake = Fake::new(answer(usage(1, 0)));
    let error = world.ask(&fake, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SpendCap);
    assert!(error.message.contains("the disk is full"), "{error}");
    world.ask(&fake, Some("free")).await.unwrap();
    assert_eq!(fake.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_calls_that_are_cut_off() {
    let world = world(None, vec![price("m")]);
    let deltas = world.meter.watch(Fake::that_hangs(vec![text("a")])).stream(hello()).await.unwrap();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(deltas);
    };
    futures_util::future::join(world.meter.close(Duration::from_millis(300)), cut).await;
    assert_eq!(world.book.rows.lock().unwrap().list()[0].tally.calls, 1);
}

#[tokio::test]
async fn names_are_short_and_hold_no_key() {
    let world = world(None, Vec::new());
    let fake = Fake::new(answer(usage(1, 0)));
    world.ask(&fake, Some("sk-secret")).await.unwrap();
    world.ask(&fake, Some(&"ż".repeat(500))).await.unwrap();
    let rows = world.meter.rows(world.meter.day(), world.meter.day()).await.unwrap();
    assert_eq!(rows[0].model, "***");
    assert_eq!(rows[1].model, "ż".repeat(100));
}

#[test]
fn money_is_spelled_to_the_cent_or_finer() {
    let spelled = [0, 1, 12_000, 10_000_000, 100_000_000, 1_500_000_000, 12_345_678_901].map(dollars);
    assert_eq!(spelled, ["$0.00", "$0.000000001", "$0.000012", "$0.01", "$0.10", "$1.50", "$12.345678901"]);
}
