//! The events of a session, numbered without holes, and kept for a while for those who come late.
//!
//! Writing never waits. A reader has a cursor and takes what is there at its own pace: one that lags gets neighbouring
//! text merged, and one that lags by more than the buffer holds is told to read the session anew.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Event;

#[derive(Clone, Debug)]
pub struct Entry {
    /// The first of the sequence numbers that this entry stands for; the same as `seq` unless it was merged.
    pub first_seq: u64,
    pub seq: u64,
    pub turn_id: Arc<str>,
    pub event: Event,
}

/// What a reader gets at once.
#[derive(Debug)]
pub struct Batch {
    /// Events up to this sequence number are no longer there.
    pub lost_up_to: Option<u64>,
    pub entries: Vec<Entry>,
}

pub struct EventLog {
    capacity: usize,
    tally: Arc<Tally>,
    ring: Mutex<Ring>,
    changed: Notify,
}

/// What all logs together have been told since the process began.
#[derive(Default)]
struct Tally {
    events: AtomicU64,
    turns: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub events: u64,
    /// That have ended.
    pub turns: u64,
    /// Of these.
    pub failed: u64,
}

/// Logs that keep their events while nobody reads them; the others are cut back to their number.
const KEPT_LOGS: usize = 64;

#[derive(Default)]
struct Ring {
    last_seq: u64,
    entries: VecDeque<Entry>,
    watchers: usize,
}

/// A cursor.
pub struct Reader {
    log: Arc<EventLog>,
    /// The last sequence number that was taken.
    after: u64,
}

/// Somebody who wants to know what happens in the session, for as long as it is held.
pub struct Watch {
    log: Arc<EventLog>,
}

/// Entries looked at for one batch.
const BATCH: usize = 256;

impl EventLog {
    fn new(capacity: usize, last_seq: u64, tally: Arc<Tally>) -> Self {
        let ring = Ring { last_seq, ..Ring::default() };
        Self { capacity, tally, ring: Mutex::new(ring), changed: Notify::new() }
    }

    pub fn push(&self, turn_id: &Arc<str>, event: Event) {
        self.tally.count(&event);
        let mut ring = self.ring();
        ring.last_seq += 1;
        let seq = ring.last_seq;
        if ring.entries.len() == self.capacity {
            ring.entries.pop_front();
        }
        ring.entries.push_back(Entry { first_seq: seq, seq, turn_id: Arc::clone(turn_id), event });
        drop(ring);
        self.changed.notify_waiters();
    }

    pub fn last_seq(&self) -> u64 {
        self.ring().last_seq
    }

    /// How many watch the session now.
    pub fn watchers(&self) -> usize {
        self.ring().watchers
    }

    pub fn watch(self: &Arc<Self>) -> Watch {
        self.ring().watchers += 1;
        Watch { log: Arc::clone(self) }
    }

    /// Lets go of the events; the numbers go on.
    fn forget(&self) {
        self.ring().entries.clear();
    }

    /// Reads what comes after a sequence number; without one what comes from now on.
    pub fn read(self: &Arc<Self>, after: Option<u64>) -> Reader {
        let after = after.unwrap_or_else(|| self.last_seq());
        Reader { log: Arc::clone(self), after }
    }

    /// Drops the events of a log that nobody reads. Its count goes on.
    fn trim(&self) {
        let mut ring = self.ring();
        if ring.watchers == 0 {
            ring.entries = VecDeque::new();
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn count(&self, event: &Event) {
        self.events.fetch_add(1, Ordering::Relaxed);
        match event {
            Event::LoopDone { .. } => drop(self.turns.fetch_add(1, Ordering::Relaxed)),
            Event::Error { .. } => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Entry {
    fn absorb(&mut self, next: &Entry) -> bool {
        let merged = self.turn_id == next.turn_id && self.event.merge(&next.event);
        if merged {
            self.seq = next.seq;
        }
        merged
    }
}

impl Reader {
    /// The last sequence number that was taken.
    pub fn position(&self) -> u64 {
        self.after
    }

    /// The last sequence number that there is.
    pub fn end(&self) -> u64 {
        self.log.last_seq()
    }

    /// What has come since; waits until there is something.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.ready().await;
            if let Some(batch) = self.take() {
                return batch;
            }
        }
    }

    /// Waits until there is something to take.
    pub async fn ready(&self) {
        loop {
            let changed = self.log.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that nothing slips in between.
            changed.as_mut().enable();
            if self.log.last_seq() != self.after {
                return;
            }
            changed.await;
        }
    }

    /// What has come since, without waiting.
    pub fn take(&mut self) -> Option<Batch> {
        self.take_up_to(u64::MAX)
    }

    /// What has come since, but nothing beyond this sequence number.
    pub fn take_up_to(&mut self, last: u64) -> Option<Batch> {
        if self.after >= last {
            return None;
        }
        let ring = self.log.ring();
        // A cursor from another life of the daemon may be ahead.
        if self.after > ring.last_seq {
            self.after = ring.last_seq;
            return Some(Batch { lost_up_to: Some(ring.last_seq), entries: Vec::new() });
        }
        let first = ring.entries.front().map_or(ring.last_seq + 1, |entry| entry.seq);
        let lost_up_to = (self.after + 1 < first).then(|| last.min(first - 1));
        let skip = usize::try_from((self.after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let mut entries: Vec<Entry> = Vec::new();
        for entry in ring.entries.iter().skip(skip).take(BATCH).take_while(|entry| entry.seq <= last) {
            let merged = entries.last_mut().is_some_and(|last| last.absorb(entry));
            if !merged {
                entries.push(entry.clone());
            }
        }
        self.after = entries.last().map(|entry| entry.seq).or(lost_up_to)?;
        Some(Batch { lost_up_to, entries })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.log.ring().watchers -= 1;
    }
}

/// The logs of all sessions.
pub struct Logs {
    capacity: usize,
    tally: Arc<Tally>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_session: HashMap<String, Arc<EventLog>>,
    /// Those that hold events, the one used last at the end.
    full: VecDeque<String>,
}

impl Logs {
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), tally: Arc::default(), inner: Mutex::default() }
    }

    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Tally { events, turns, failed } = &*self.tally;
        Counts { events: of(events), turns: of(turns), failed: of(failed) }
    }

    /// `last_seq` is where a log that is new goes on counting.
    pub fn get_or_start(&self, session: &str, last_seq: u64) -> Arc<EventLog> {
        let mut inner = self.inner();
        if let Some(log) = inner.by_session.get(session) {
            return Arc::clone(log);
        }
        let log = Arc::new(EventLog::new(self.capacity, last_seq, Arc::clone(&self.tally)));
        inner.by_session.insert(session.to_owned(), Arc::clone(&log));
        log
    }

    /// A turn of the session has ended: its events are kept for a while, those of sessions long unused no more.
    pub fn ended(&self, session: &str) {
        let mut inner = self.inner();
        inner.full.retain(|name| name != session);
        inner.full.push_back(session.to_owned());
        while inner.full.len() > KEPT_LOGS {
            let Some(oldest) = inner.full.pop_front() else { break };
            if let Some(log) = inner.by_session.get(&oldest) {
                log.trim();
            }
        }
    }

    /// The session is gone. Those who watch it will hear of one that takes its name.
    pub fn remove(&self, session: &str) {
        let mut inner = self.inner();
        inner.full.retain(|name| name != session);
        match inner.by_session.get(session) {
            Some(log) if log.watchers() > 0 => log.forget(),
            _ => {
                inner.by_session.remove(session);
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Event {
        Event::TextDelta { index: 0, text: text.to_owned() }
    }

    /// What a reader gets, as `first-last:text`.
    fn taken(reader: &mut Reader) -> Vec<String> {
        let Some(batch) = reader.take() else { return Vec::new() };
        let lost = batch.lost_up_to.map(|seq| format!("lost {seq}"));
        let entries = batch.entries.into_iter().map(|entry| match entry.event {
            Event::TextDelta { text, .. } => format!("{}-{}:{text}", entry.first_seq, entry.seq),
            other => format!("{}-{}:{other:?}", entry.first_seq, entry.seq),
        });
        lost.into_iter().chain(entries).collect()
    }

    #[test]
    fn readers_take_at_their_own_pace() {
        let log = Arc::new(EventLog::new(4, 10, Arc::default()));
        let turn: Arc<str> = "t".into();
        let mut live = log.read(None);
        log.push(&turn, text("a"));
        assert_eq!(taken(&mut live), ["11-11:a"]);
        assert_eq!(taken(&mut live), [] as [&str; 0]);
        log.push(&turn, text("b"));
        log.push(&turn, text("c"));
        log.push(&turn, Event::TextStart { index: 1 });
        assert_eq!(taken(&mut live), ["12-13:bc", "14-14:TextStart { index: 1 }"]);
        let mut late = log.read(Some(10));
        log.push(&turn, text("d"));
        assert_eq!(taken(&mut late), ["lost 11", "12-13:bc", "14-14:TextStart { index: 1 }", "15-15:d"]);
        assert_eq!(log.watchers(), 0, "who reads for a while does not watch");
        let mut bounded = log.read(Some(11));
        assert_eq!(bounded.take_up_to(12).map(|batch| batch.entries.len()), Some(1));
        assert!(bounded.take_up_to(12).is_none());
        assert_eq!(taken(&mut bounded), ["13-13:c", "14-14:TextStart { index: 1 }", "15-15:d"]);
        let watch = log.watch();
        assert_eq!(log.watchers(), 1);
        drop(watch);
        assert_eq!(log.watchers(), 0);
    }

    #[test]
    fn a_session_that_takes_the_name_of_a_deleted_one_goes_on_counting_for_those_who_watch() {
        let logs = Logs::new(4);
        let log = logs.get_or_start("s", 0);
        let (watch, mut reader) = (log.watch(), log.read(None));
        log.push(&"t".into(), text("a"));
        logs.remove("s");
        assert_eq!(taken(&mut reader), ["lost 1"]);
        logs.get_or_start("s", 0).push(&"u".into(), text("b"));
        assert_eq!(taken(&mut reader), ["2-2:b"]);
        drop(watch);
        logs.remove("s");
        assert_eq!(logs.get_or_start("s", 0).last_seq(), 0);
    }

    #[test]
    fn a_cursor_from_the_future_is_told_to_read_anew() {
        let log = Arc::new(EventLog::new(4, 3, Arc::default()));
        let mut reader = log.read(Some(7));
        assert_eq!(taken(&mut reader), ["lost 3"]);
        log.push(&"t".into(), text("a"));
        assert_eq!(taken(&mut reader), ["4-4:a"]);
    }

    #[test]
    fn logs_long_unused_keep_only_their_count() {
        let logs = Logs::new(4);
        let turn: Arc<str> = "t".into();
        for session in 0..=KEPT_LOGS {
            logs.get_or_start(&session.to_string(), 0).push(&turn, text("a"));
            logs.ended(&session.to_string());
        }
        let (oldest, next) = (logs.get_or_start("0", 9), logs.get_or_start("1", 9));
        assert_eq!(taken(&mut oldest.read(Some(0))), ["lost 1"]);
        assert_eq!(taken(&mut next.read(Some(0))), ["1-1:a"]);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let log = Arc::new(EventLog::new(4, 0, Arc::default()));
        let mut reader = log.read(None);
        let waiting = tokio::spawn(async move { reader.next().await.entries.len() });
        tokio::task::yield_now().await;
        log.push(&"t".into(), text("a"));
        assert_eq!(waiting.await.expect("no panic"), 1);
    }
}
