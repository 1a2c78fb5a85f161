//! What is known of each session's threads, one operation in each at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

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

#[derive(Default)]
pub struct Slot {
    known: AsyncMutex<Known>,
    /// A turn runs there that somebody follows.
    is_running: AtomicBool,
    /// A turn may run there that nobody follows.
    is_left: AtomicBool,
    /// What a thread has used that is accounted for.
    accounted: Mutex<Option<(String, Tokens)>>,
    used: AtomicU64,
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
        let slot = Arc::clone(slots.entry(key).or_default());
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
    pub async fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().await
    }

    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// Whether a turn may run that has to be stopped first.
    pub fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Acquire)
    }

    /// A turn is about to run.
    pub fn enter(&self) {
        self.is_left.store(true, Ordering::Release);
        self.is_running.store(true, Ordering::Release);
    }

    /// Nobody follows it any more.
    pub fn leave(&self, has_ended: bool) {
        self.is_left.store(!has_ended, Ordering::Release);
        self.is_running.store(false, Ordering::Release);
    }

    pub fn account(&self, thread: &str, tokens: Tokens) {
        *self.accounted.lock().unwrap_or_else(PoisonError::into_inner) = Some((thread.to_owned(), tokens));
    }

    pub fn accounted(&self, thread: &str) -> Option<Tokens> {
        let accounted = self.accounted.lock().unwrap_or_else(PoisonError::into_inner);
        accounted.as_ref().filter(|(of, _)| of == thread).map(|(_, tokens)| *tokens)
    }

    /// No turn runs.
    pub fn quiet(&self) {
        self.is_left.store(false, Ordering::Release);
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
