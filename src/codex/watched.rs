//! The threads whose events somebody here wants, and which the connection therefore takes part in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads at once.
const MOST: usize = 1024;

#[derive(Default)]
pub struct Watched {
    by_thread: Mutex<HashMap<String, usize>>,
}

/// Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    watched: Arc<Watched>,
    thread: String,
}

impl Watched {
    /// Whether nobody watched the thread before; none if there are too many.
    pub fn watch(self: &Arc<Self>, thread: &str) -> Option<(Watch, bool)> {
        let mut threads = self.threads();
        if threads.len() >= MOST && !threads.contains_key(thread) {
            return None;
        }
        let count = threads.entry(thread.to_owned()).or_default();
        *count += 1;
        let first = *count == 1;
        drop(threads);
        Some((Watch { watched: Arc::clone(self), thread: thread.to_owned() }, first))
    }

    pub fn has(&self, thread: &str) -> bool {
        self.threads().contains_key(thread)
    }

    pub fn all(&self) -> Vec<String> {
        self.threads().keys().cloned().collect()
    }

    pub fn count(&self) -> usize {
        self.threads().len()
    }

    fn threads(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.by_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.all()).finish()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut threads = self.watched.threads();
        if let Some(count) = threads.get_mut(&self.thread) {
            *count -= 1;
            if *count == 0 {
                threads.remove(&self.thread);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_watched_until_the_last_one_goes() {
        let watched = Arc::<Watched>::default();
        let (one, first) = watched.watch("t").expect("there is room");
        let (two, second) = watched.watch("t").expect("there is room");
        assert_eq!((first, second, watched.all()), (true, false, vec!["t".to_owned()]));
        drop(one);
        assert_eq!(watched.count(), 1);
        drop(two);
        assert_eq!(watched.count(), 0);
    }

    #[test]
    fn there_is_no_end_of_threads_in_a_server_but_here() {
        let watched = Arc::<Watched>::default();
        let watches: Vec<_> = (0..MOST).filter_map(|number| watched.watch(&number.to_string())).collect();
        assert!(watches.len() == MOST && watched.watch("more").is_none() && watched.watch("0").is_some());
    }
}
