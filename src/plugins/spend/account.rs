//! What was spent, what is under way, and whether more may be.
//!
//! The end of a call is noted in memory, at once and without waiting, so that no answer is held up and a call that is
//! dropped counts as well. From there it is written to the ledger by a task that is there while there is something to
//! write: at once, and then at most every [`PAUSE`], all that has come by then in one stroke. What waits is bounded by
//! being sums and not calls (`rows`), and is lost only when the process dies within that time: an orderly end writes it
//! down ([`Account::close`]). A disk that refuses leaves it waiting, and counted.
//!
//! With a cap every call that may cost something asks the ledger first, for other processes spend as well: a read of
//! a few rows. Reading, writing and the decision exclude each other, so that nothing counts twice or not at all. A
//! ledger that cannot be read refuses the call: a cap that cannot be kept is not passed over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::rows::Rows;
use crate::model::{Day, Ledger, LedgerError, LedgerRow, Tally};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(250);

/// After a write that failed: each try may hold up the file's other users.
const RETRY: Duration = Duration::from_secs(30);

pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(super) struct Account {
    clock: Clock,
    /// Without one, what is spent is known until the process ends.
    ledger: Option<Arc<dyn Ledger>>,
    state: Mutex<State>,
    /// Held by whoever reads or writes the ledger.
    access: tokio::sync::Mutex<()>,
    /// A call has ended.
    ended: Notify,
}

#[derive(Default)]
struct State {
    cap_nano_usd: Option<u64>,
    calls: u64,
    /// What the calls under way may cost, estimated.
    reserved_nano_usd: u64,
    waiting: Rows,
    /// Taken by the write that is under way.
    in_writing: Rows,
    /// There is a task that writes.
    has_writer: bool,
}

/// What a day has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) day: Day,
    pub(super) tally: Tally,
    pub(super) reserved_nano_usd: u64,
}

impl Standing {
    pub(super) fn reckoned(&self) -> u64 {
        self.tally.cost_nano_usd.saturating_add(self.reserved_nano_usd)
    }
}

/// Why a call was not begun.
#[derive(Debug)]
pub(super) enum Refused {
    Capped(Standing, u64),
    Unknown(LedgerError),
}

impl Account {
    pub(super) fn new(cap_nano_usd: Option<u64>, ledger: Option<Arc<dyn Ledger>>, clock: Clock) -> Self {
        let (access, ended) = Default::default();
        let state = Mutex::new(State { cap_nano_usd, ..State::default() });
        Self { clock, ledger, state, access, ended }
    }

    pub(super) fn cap_nano_usd(&self) -> Option<u64> {
        self.state().cap_nano_usd
    }

    pub(super) fn cap_at(&self, cap_nano_usd: Option<u64>) {
        self.state().cap_nano_usd = cap_nano_usd;
    }

    pub(super) fn today(&self) -> Day {
        Day::at((self.clock)())
    }

    /// Begins a call; every call that was begun is ended. One that is free is not held to the cap.
    pub(super) async fn begin(&self, reserve_nano_usd: u64, free: bool) -> Result<(), Refused> {
        let cap = self.cap_nano_usd().filter(|_| !free);
        let Some(cap) = cap else {
            self.state().begin(reserve_nano_usd);
            return Ok(());
        };
        let _access = self.access.lock().await;
        let day = self.today();
        let kept = self.kept(day, day).await.map_err(Refused::Unknown)?;
        let mut state = self.state();
        let standing = state.standing(day, &kept);
        if standing.reckoned() >= cap {
            return Err(Refused::Capped(standing, cap));
        }
        state.begin(reserve_nano_usd);
        Ok(())
    }

    /// Begins a call that nobody could hold back.
    pub(super) fn begin_free(&self) {
        self.state().begin(0);
    }

    /// Ends a call; what it spent is none if it came to nothing.
    pub(super) fn end(self: &Arc<Self>, reserved_nano_usd: u64, spent: Option<LedgerRow>) {
        let mut state = self.state();
        state.calls = state.calls.saturating_sub(1);
        state.reserved_nano_usd = state.reserved_nano_usd.saturating_sub(reserved_nano_usd);
        if let Some(row) = spent {
            state.waiting.add(row);
        }
        let runtime = tokio::runtime::Handle::try_current().ok();
        let due = !state.waiting.is_empty() && !state.has_writer && self.ledger.is_some();
        if let Some(runtime) = runtime.filter(|_| due) {
            state.has_writer = true;
            runtime.spawn(Arc::clone(self).write_on());
        }
        drop(state);
        self.ended.notify_waiters();
    }

    pub(super) async fn standing(&self) -> Result<Standing, LedgerError> {
        let _access = self.access.lock().await;
        let day = self.today();
        let kept = self.kept(day, day).await?;
        Ok(self.state().standing(day, &kept))
    }

    /// As the ledger has them, with what is not there yet.
    pub(super) async fn rows(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        let _access = self.access.lock().await;
        let kept = self.kept(first, last).await?;
        let more = self.state().unkept(first, last);
        Ok(merged(kept, more))
    }

    /// As [`Self::rows`], of all days and by provider.
    pub(super) async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError> {
        let _access = self.access.lock().await;
        let mut sums = match &self.ledger {
            Some(ledger) => ledger.sums().await?,
            None => BTreeMap::new(),
        };
        for row in self.state().unkept(Day::default(), self.today()) {
            sums.entry(row.provider).or_default().add(&row.tally);
        }
        Ok(sums)
    }

    /// Waits so long for calls to end that are being cut off, and writes down all that was spent.
    pub(super) async fn close(self: &Arc<Self>, patience: Duration) {
        let over = async {
            loop {
                let ended = self.ended.notified();
                if self.state().calls == 0 {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(patience, over).await.is_err() {
            tracing::warn!("a call of a model did not end in time; what it spent is not counted");
        }
        // A task of its own: a write that was begun is never left half noted.
        let account = Arc::clone(self);
        let written = tokio::spawn(async move { account.write().await }).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, spent = ?self.state().waiting.list(), "what calls have spent could not be written");
        }
    }

    /// Until nothing waits any more.
    async fn write_on(self: Arc<Self>) {
        let mut failed = false;
        loop {
            let outcome = self.write().await;
            if let Some(error) = outcome.as_ref().err().filter(|_| !failed) {
                tracing::error!(%error, "what calls have spent could not be written; it is tried again");
            }
            failed = outcome.is_err();
            tokio::time::sleep(if failed { RETRY } else { PAUSE }).await;
            let mut state = self.state();
            if state.waiting.is_empty() {
                state.has_writer = false;
                return;
            }
        }
    }

    /// Not to be dropped before its end.
    async fn write(&self) -> Result<(), LedgerError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let _access = self.access.lock().await;
        let rows = {
            let mut state = self.state();
            state.in_writing = std::mem::take(&mut state.waiting);
            state.in_writing.list()
        };
        if rows.is_empty() {
            return Ok(());
        }
        let outcome = ledger.add(rows).await;
        let mut state = self.state();
        let written = std::mem::take(&mut state.in_writing);
        if outcome.is_err() {
            written.list().into_iter().for_each(|row| state.waiting.add(row));
        }
        outcome
    }

    async fn kept(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        match &self.ledger {
            Some(ledger) => ledger.rows(first, last).await,
            None => Ok(Vec::new()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, reserve_nano_usd: u64) {
        self.calls += 1;
        self.reserved_nano_usd = self.reserved_nano_usd.saturating_add(reserve_nano_usd);
    }

    fn unkept(&self, first: Day, last: Day) -> Vec<LedgerRow> {
        let rows = self.waiting.list().into_iter().chain(self.in_writing.list());
        rows.filter(|row| (first..=last).contains(&row.day)).collect()
    }

    fn standing(&self, day: Day, kept: &[LedgerRow]) -> Standing {
        let tally = Tally::total(kept.iter().chain(&self.unkept(day, day)));
        Standing { day, tally, reserved_nano_usd: self.reserved_nano_usd }
    }
}

fn merged(mut rows: Vec<LedgerRow>, more: Vec<LedgerRow>) -> Vec<LedgerRow> {
    let key = |row: &LedgerRow| (row.day, row.provider.clone(), row.model.clone());
    for new in more {
        match rows.iter_mut().find(|row| key(row) == key(&new)) {
            Some(row) => row.tally.add(&new.tally),
            None => rows.push(new),
        }
    }
    rows.sort_by_cached_key(key);
    rows
}
