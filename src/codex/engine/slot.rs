//! What is known of each session's threads, one operation in each at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

use super::terms::Terms;
use super::thread::Kind;
use super::wire::Tokens;
use crate::model::{Place, Thread};

/// How many are kept in mind; of more, those used longest ago are forgotten, and resumed when they are needed.
const KEPT: usize = 64;

#[derive(Default)]
pub struct Slots {
    by_place: Mutex<HashMap<(String, Kind), Arc<Slot>>>,
    clock: AtomicU64,
}

pub struct Slot {
    pub session: String,
    known: AsyncMutex<Known>,
    work: Mutex<Work>,
    /// What a thread has used that is accounted for.
    accounted: Mutex<Option<(String, Tokens)>>,
    used: AtomicU64,
}

/// What runs for a slot, and in which thread.
#[derive(Default)]
struct Work {
    stand: Stand,
    thread: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand {
    /// Nothing.
    #[default]
    Idle,
    /// A turn that somebody follows.
    Running,
    /// A turn that waits for somebody who takes it up.
    Waiting,
    /// Maybe a turn, which nobody follows and nobody wants.
    Left,
}

#[derive(Default)]
pub struct Known {
    pub thread: Option<Loaded>,
    /// As it was last asked for.
    pub place: Option<Place>,
}

/// A thread as it was last started or resumed.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub thread: Thread,
    /// The connection, by its number, that hears what happens in it.
    pub connection: Option<u64>,
    pub model: Option<String>,
    /// The policy that it has by itself.
    pub sandbox: Option<Value>,
    /// What its turns run with that say nothing, as far as it is known.
    pub terms: Terms,
    /// Nothing was ever said in it, so that it is gone with its connection; and the thread in whose place it was
    /// started.
    pub empty: Option<Option<String>>,
    /// A turn ran in it when it was resumed.
    pub is_busy: bool,
}

impl Slots {
    pub fn of(&self, place: &Place) -> Arc<Slot> {
        let key = (place.session.clone(), Kind::of(place.mode));
        let mut slots = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(key).or_insert_with_key(|(session, _)| Arc::new(Slot::new(session.clone())));
        let slot = Arc::clone(slot);
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if slots.len() > KEPT {
            let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
            let oldest = idle.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed)).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                slots.remove(&oldest);
            }
        }
        slot
    }

    /// A turn is about to run for the slot in this thread. Whether another may run there that has to be stopped first;
    /// or the slot of another session whose turn runs there, in which case nothing has happened.
    pub fn enter(&self, slot: &Arc<Slot>, thread: &str) -> Result<bool, Arc<Slot>> {
        let slots = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut may_run = slot.stand() != Stand::Idle;
        for other in slots.values().filter(|other| !Arc::ptr_eq(other, slot)) {
            match other.stand_in(thread) {
                Stand::Idle => {}
                Stand::Waiting if other.session == slot.session => may_run = true,
                Stand::Left => may_run = true,
                Stand::Running | Stand::Waiting => return Err(Arc::clone(other)),
            }
        }
        *slot.work() = Work { stand: Stand::Running, thread: thread.to_owned() };
        Ok(may_run)
    }

    /// The slot other than this one whose turn somebody follows in the thread.
    pub fn at_work(&self, slot: &Arc<Slot>, thread: &str) -> Option<Arc<Slot>> {
        let slots = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = slots.values().filter(|other| !Arc::ptr_eq(other, slot));
        others.find(|other| other.stand_in(thread) == Stand::Running).cloned()
    }

    /// Nothing runs in the thread, except what is about to.
    pub fn quiet(&self, thread: &str) {
        let slots = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().for_each(|slot| slot.quiet(thread));
    }

    /// Those used last, the latest first.
    pub fn latest(&self, count: usize) -> Vec<Arc<Slot>> {
        let slots = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Slot>> = slots.values().cloned().collect();
        drop(slots);
        all.sort_by_key(|slot| std::cmp::Reverse(slot.used.load(Ordering::Relaxed)));
        all.truncate(count);
        all
    }
}

impl Slot {
    fn new(session: String) -> Self {
        let (known, work, accounted, used) = Default::default();
        Self { session, known, work, accounted, used }
    }

    pub async fn lock(&self) -> AsyncMutexGuard<'_, Known> {
        self.known.lock().await
    }

    pub fn stand(&self) -> Stand {
        self.work().stand
    }

    /// Nobody follows its turn any more.
    pub fn leave(&self, stand: Stand) {
        self.work().stand = stand;
    }

    fn stand_in(&self, thread: &str) -> Stand {
        let work = self.work();
        if work.thread == thread { work.stand } else { Stand::Idle }
    }

    /// What was left or waits in the thread is there no more.
    pub fn quiet(&self, thread: &str) {
        let mut work = self.work();
        if work.thread == thread && work.stand != Stand::Running {
            work.stand = Stand::Idle;
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn account(&self, thread: &str, tokens: Tokens) {
        *self.accounted.lock().unwrap_or_else(PoisonError::into_inner) = Some((thread.to_owned(), tokens));
    }

    pub fn accounted(&self, thread: &str) -> Option<Tokens> {
        let accounted = self.accounted.lock().unwrap_or_else(PoisonError::into_inner);
        accounted.as_ref().filter(|(of, _)| of == thread).map(|(_, tokens)| *tokens)
    }
}

impl Loaded {
    /// One that was used before, and that this process knows nothing else of.
    pub fn kept(thread: Thread) -> Self {
        Self {
            thread,
            connection: None,
            model: None,
            sandbox: None,
            terms: Terms::default(),
            empty: None,
            is_busy: false,
        }
    }
}
