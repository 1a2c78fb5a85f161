//! Sending the events of sessions to one client, at the pace at which it reads, each of them once.
//!
//! A subscription sends all events of a session from one sequence number on. Requests that send the events of their own
//! turn leave to it what it sends, and nothing else, however subscriptions come and go meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::convert;
use super::error::ApiError;
use crate::helm::{Batch, Entry, EventLog, Reader, Watch};
use crate::protocol::{Code, Notification, names};
use crate::rpc::{Peer, PeerError};

/// Sessions that one connection may watch at once.
const MAX: usize = 256;

pub struct Subscriptions {
    peer: Peer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_session: HashMap<String, Subscription>,
    /// What subscriptions send of what those would who follow a turn.
    followers: HashMap<u64, Follower>,
    last_follower: u64,
}

struct Subscription {
    task: AbortHandle,
    covers: Covers,
    _watch: Watch,
}

/// A subscription sends what comes after `start`.
#[derive(Clone)]
struct Covers {
    start: u64,
    /// The last sequence number that was sent; closed when nothing more will be.
    sent: watch::Receiver<u64>,
}

struct Follower {
    session: String,
    /// Those begun since, in their order.
    covers: VecDeque<Covers>,
    /// The last sequence number that was taken to be sent, and the last of those that have been sent.
    taken: u64,
    delivered: watch::Sender<u64>,
}

/// A cursor that passes over what a subscription of the same client sends.
pub struct Following {
    subscriptions: Arc<Subscriptions>,
    id: u64,
    reader: Reader,
}

/// Events, and whether the client has got them.
pub struct Followed {
    pub batch: Batch,
    pub sent: bool,
}

impl Subscriptions {
    pub fn new(peer: Peer) -> Arc<Self> {
        Arc::new(Self { peer, state: Mutex::default() })
    }

    /// Sends from when `begin` fires. A second subscription to a session takes the place of the first. Gives the log's
    /// last sequence number.
    pub fn subscribe(
        &self,
        session: &str,
        log: &Arc<EventLog>,
        after: Option<u64>,
        begin: CancellationToken,
    ) -> Result<u64, ApiError> {
        let mut state = self.state();
        if state.by_session.len() >= MAX && !state.by_session.contains_key(session) {
            let message = format!("this connection watches {MAX} sessions already");
            return Err(ApiError::new(Code::Overloaded, message).with_hint("End one with conductor.unsubscribe."));
        }
        // Whoever follows takes events under the same lock, so none takes one beyond this without knowing of us.
        let seq = log.last_seq();
        let reader = log.read(after.or(Some(seq)));
        let start = reader.position().min(seq);
        let (sending, sent) = watch::channel(start);
        let forward = forward(self.peer.clone(), session.to_owned(), reader, sending);
        let followers = state.followers.values().filter(|follower| follower.session == session);
        let earlier: Vec<_> =
            followers.map(|follower| (follower.delivered.subscribe(), follower.taken.max(start))).collect();
        let task = tokio::spawn(async move {
            begin.cancelled().await;
            // What others have in hand goes before what comes after it; those who are gone have nothing left.
            for (mut delivered, last) in earlier {
                let _ = delivered.wait_for(|seq| *seq >= last).await;
            }
            // One that fails has nobody left to tell.
            let _ = forward.await;
        });
        let covers = Covers { start, sent };
        for follower in state.followers.values_mut().filter(|follower| follower.session == session) {
            follower.covers.push_back(covers.clone());
            // One that has more behind it than this hears some events twice, rather than not at all.
            if follower.covers.len() > MAX {
                follower.covers.pop_front();
            }
        }
        let subscription = Subscription { task: task.abort_handle(), covers, _watch: log.watch() };
        if let Some(before) = state.by_session.insert(session.to_owned(), subscription) {
            before.task.abort();
        }
        Ok(seq)
    }

    /// The client is leaving: it no longer counts among those who watch.
    pub fn close(&self) {
        self.state().by_session.drain().for_each(|(_, subscription)| subscription.task.abort());
    }

    pub fn unsubscribe(&self, session: &str) {
        if let Some(subscription) = self.state().by_session.remove(session) {
            subscription.task.abort();
        }
    }

    pub fn watches(&self, session: &str) -> bool {
        self.state().by_session.contains_key(session)
    }

    /// Those that are watched, in order.
    pub fn sessions(&self) -> Vec<String> {
        let mut sessions: Vec<String> = self.state().by_session.keys().cloned().collect();
        sessions.sort_unstable();
        sessions
    }

    pub fn has(&self, session: &str) -> bool {
        self.state().by_session.contains_key(session)
    }

    /// Follows what comes in a session from now on.
    pub fn follow(self: &Arc<Self>, session: &str, log: &Arc<EventLog>) -> Following {
        let mut state = self.state();
        state.last_follower += 1;
        let id = state.last_follower;
        let covers = state.by_session.get(session).map(|subscription| subscription.covers.clone());
        let reader = log.read(None);
        let (taken, delivered) = (reader.position(), watch::channel(reader.position()).0);
        let covers = covers.into_iter().collect();
        state.followers.insert(id, Follower { session: session.to_owned(), covers, taken, delivered });
        Following { subscriptions: Arc::clone(self), id, reader }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.close();
    }
}

impl Following {
    /// The last sequence number that was taken.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// The last sequence number that there is.
    pub fn end(&self) -> u64 {
        self.reader.end()
    }

    /// What has come since; waits until there is something, and until the client has got it where a subscription sends
    /// it. What was given before counts as delivered. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Followed {
        loop {
            self.delivered();
            self.reader.ready().await;
            let followed = match self.next_covers() {
                Err(batch) => batch.map(|batch| Followed { batch, sent: false }),
                Ok(Covers { mut sent, .. }) => {
                    let position = self.reader.position();
                    let more = sent.wait_for(|sent| *sent > position).await.map(|sent| *sent);
                    if more.is_err() {
                        self.forget_covers();
                    }
                    let seq = more.unwrap_or_else(|_| *sent.borrow());
                    self.reader.take_up_to(seq).map(|batch| Followed { batch, sent: true })
                }
            };
            if let Some(followed) = followed {
                return followed;
            }
        }
    }

    /// The subscription that sends what is next; where there is none, what is next.
    fn next_covers(&mut self) -> Result<Covers, Option<Batch>> {
        let mut state = self.subscriptions.state();
        let Some(follower) = state.followers.get_mut(&self.id) else { return Err(self.reader.take()) };
        let batch = match follower.covers.front() {
            Some(covers) if covers.start <= self.reader.position() => return Ok(covers.clone()),
            Some(covers) => self.reader.take_up_to(covers.start),
            None => self.reader.take(),
        };
        follower.taken = self.reader.position();
        Err(batch)
    }

    fn delivered(&self) {
        if let Some(follower) = self.subscriptions.state().followers.get(&self.id) {
            follower.delivered.send_replace(self.reader.position());
        }
    }

    fn forget_covers(&self) {
        if let Some(follower) = self.subscriptions.state().followers.get_mut(&self.id) {
            follower.covers.pop_front();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.subscriptions.state().followers.remove(&self.id);
    }
}

/// Whoever follows a turn relies on it that `sending` counts each event once it is under way, and no other.
async fn forward(
    peer: Peer,
    session: String,
    mut reader: Reader,
    sending: watch::Sender<u64>,
) -> Result<(), PeerError> {
    loop {
        let batch = tokio::select! {
            batch = reader.next() => batch,
            () = peer.closing().cancelled() => return Ok(()),
        };
        if let Some(seq) = batch.lost_up_to {
            send_resync(&peer, &session, seq).await?;
            sending.send_replace(seq);
        }
        for entry in batch.entries {
            let seq = entry.seq;
            send_event(&peer, &session, entry).await?;
            sending.send_replace(seq);
        }
    }
}

pub async fn send_event(peer: &Peer, session: &str, entry: Entry) -> Result<(), PeerError> {
    notify(peer, &convert::event(session, entry)).await
}

/// Tells that the events up to a sequence number are gone.
pub async fn send_resync(peer: &Peer, session: &str, seq: u64) -> Result<(), PeerError> {
    notify(peer, &convert::resync(session, seq)).await
}

async fn notify(peer: &Peer, params: &impl serde::Serialize) -> Result<(), PeerError> {
    let params: Box<RawValue> = to_raw_value(params).expect("wire types are made of JSON values");
    peer.notify(names::ConductorEvent::NAME, params.get()).await
}
