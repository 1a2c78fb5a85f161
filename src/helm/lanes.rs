//! One lane a session: turns go through it one after the other, in the order in which they took their place.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

pub struct Lanes {
    limit: usize,
    /// Those that wait behind the one that runs; no entry means that none runs.
    by_session: Mutex<HashMap<String, VecDeque<Place>>>,
}

/// A place that is taken but may not know its turn yet.
type Place = oneshot::Receiver<Job>;
type Job = BoxFuture<'static, ()>;

/// A place in a lane. Dropping it gives the place up.
pub struct Ticket {
    place: oneshot::Sender<Job>,
    /// Whether others are before it.
    pub waits: bool,
}

/// Why there is no place.
#[derive(Debug, PartialEq)]
pub enum Refused {
    /// A turn runs, and this one would not wait.
    Busy,
    Full {
        waiting: usize,
    },
}

impl Lanes {
    pub fn new(limit: usize) -> Self {
        Self { limit, by_session: Mutex::default() }
    }

    /// Takes the next place; `queue` says whether it may be one behind others.
    pub fn enter(self: &Arc<Self>, session: &str, queue: bool) -> Result<Ticket, Refused> {
        let (place, receiver) = oneshot::channel();
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.get_mut(session) {
            if !queue {
                return Err(Refused::Busy);
            }
            if lane.len() >= self.limit {
                return Err(Refused::Full { waiting: lane.len() });
            }
            lane.push_back(receiver);
            return Ok(Ticket { place, waits: true });
        }
        lanes.insert(session.to_owned(), VecDeque::new());
        drop(lanes);
        tokio::spawn(Arc::clone(self).drain(session.to_owned(), receiver));
        Ok(Ticket { place, waits: false })
    }

    async fn drain(self: Arc<Self>, session: String, first: Place) {
        let mut place = first;
        loop {
            if let Ok(job) = place.await {
                // A turn that panics must not close its lane.
                let _ = AssertUnwindSafe(job).catch_unwind().await;
            }
            let mut lanes = self.lanes();
            match lanes.get_mut(&session).and_then(VecDeque::pop_front) {
                Some(next) => place = next,
                None => {
                    lanes.remove(&session);
                    return;
                }
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Place>>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub fn run(self, turn: impl Future<Output = ()> + Send + 'static) {
        // The lane is gone only when the runtime is.
        let _ = self.place.send(Box::pin(turn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_run_in_the_order_of_their_places() {
        let lanes = Arc::new(Lanes::new(2));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let first = lanes.enter("s", true).expect("room");
        let gives_up = lanes.enter("s", true).expect("room");
        let (done, end) = oneshot::channel::<()>();
        let last = lanes.enter("s", true).expect("room for two that wait beside the one that runs");
        let note = |name: &'static str| {
            let seen = Arc::clone(&seen);
            async move { seen.lock().expect("no panic").push(name) }
        };
        let last_note = note("last");
        last.run(async move {
            last_note.await;
            let _ = done.send(());
        });
        drop(gives_up);
        first.run(note("first"));
        end.await.expect("the last one ran");
        assert_eq!(*seen.lock().expect("no panic"), ["first", "last"]);
    }

    #[tokio::test]
    async fn a_panic_leaves_the_lane_open() {
        let lanes = Arc::new(Lanes::new(2));
        lanes.enter("s", true).expect("room").run(async { panic!("on purpose") });
        let (done, end) = oneshot::channel::<()>();
        lanes.enter("s", true).expect("room").run(async move {
            let _ = done.send(());
        });
        end.await.expect("the second ran");
    }

    #[tokio::test]
    async fn a_full_lane_says_how_many_wait() {
        let lanes = Arc::new(Lanes::new(1));
        let _first = lanes.enter("s", true).expect("room");
        let _second = lanes.enter("s", true).expect("room");
        assert_eq!(lanes.enter("s", true).err(), Some(Refused::Full { waiting: 1 }));
        assert_eq!(lanes.enter("s", false).err(), Some(Refused::Busy));
    }
}
