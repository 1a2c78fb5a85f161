//! So many connections at once, and no more. One that has shown no token yet makes way for one that comes later, so that
//! nobody who only holds lines open keeps others out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

pub struct Places {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// In the order in which they came.
    unproven: BTreeMap<u64, CancellationToken>,
    proven: usize,
}

/// Given up when it is dropped.
pub struct Place {
    places: Arc<Places>,
    number: u64,
    /// Fires when it must make way.
    pub evicted: CancellationToken,
    proven: Mutex<bool>,
}

impl Places {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// None if all are held by those who have shown a token.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if state.proven + state.unproven.len() >= self.limit {
            let (_, oldest) = state.unproven.pop_first()?;
            oldest.cancel();
        }
        state.last += 1;
        let (number, evicted) = (state.last, CancellationToken::new());
        state.unproven.insert(number, evicted.clone());
        Some(Place { places: Arc::clone(self), number, evicted, proven: Mutex::new(false) })
    }

    /// How many are taken.
    #[cfg(test)]
    fn taken(&self) -> usize {
        let state = self.state();
        state.proven + state.unproven.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Its client has shown a token.
    pub fn prove(&self) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.places.state();
        if state.unproven.remove(&self.number).is_some() {
            state.proven += 1;
            *proven = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let proven = *self.proven.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.places.state();
        state.unproven.remove(&self.number);
        state.proven -= usize::from(proven);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_has_shown_nothing_makes_way() {
        let places = Places::new(2);
        let proven = places.take().unwrap();
        proven.prove();
        proven.prove();
        let silent = places.take().unwrap();
        let later = places.take().unwrap();
        assert!(silent.evicted.is_cancelled() && !proven.evicted.is_cancelled() && !later.evicted.is_cancelled());
        silent.prove();
        drop(silent);
        assert_eq!(places.taken(), 2, "what was evicted gives nothing back");
        later.prove();
        assert!(places.take().is_none(), "all are held by those who have shown a token");
        drop(proven);
        let next = places.take().unwrap();
        drop((next, later));
        assert_eq!(places.taken(), 0);
    }
}
