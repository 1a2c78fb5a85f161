//! The other side of a connection, as a handler sees it: something to notify and to ask.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame;
use super::pending::{Answer, Pending};
use super::{Id, Message};

/// Cheap to clone; all clones speak to the same connection.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    number: u64,
    outbound: mpsc::Sender<String>,
    pending: Mutex<Pending>,
    work: TaskTracker,
    in_flight: AtomicUsize,
    closing: CancellationToken,
    closed: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the client is gone")]
    Gone,
    #[error("the client did not answer in time")]
    TimedOut,
    #[error("the client answered with error {}: {}", .0.code(), .0.message())]
    Refused(ErrorObjectOwned),
}

impl Peer {
    pub(super) fn new(number: u64, outbound: mpsc::Sender<String>, closed: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                number,
                outbound,
                pending: Mutex::default(),
                work: TaskTracker::new(),
                in_flight: AtomicUsize::new(0),
                closing: CancellationToken::new(),
                closed,
            }),
        }
    }

    /// Distinguishes the connections of this process.
    pub fn number(&self) -> u64 {
        self.shared.number
    }

    /// Work for the client that goes on behind an answer; the end of input waits for it as for a request.
    pub fn work(&self) -> &TaskTracker {
        &self.shared.work
    }

    /// Requests of the peer's that wait for their answers.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn set_in_flight(&self, count: usize) {
        self.shared.in_flight.store(count, Ordering::Relaxed);
    }

    /// Fires when the connection is about to end: what is not done by then is answered for.
    pub fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }

    /// Fires when the connection has ended, for whatever reason.
    pub fn closed(&self) -> &CancellationToken {
        &self.shared.closed
    }

    /// Waits while the outbound queue is full; `params` is the text of a JSON object.
    pub async fn notify(&self, method: &str, params: &str) -> Result<(), PeerError> {
        self.send(frame::notification(method, params)).await
    }

    /// Asks the client, for as long as the deadline allows.
    pub async fn request(&self, method: &str, params: &str, deadline: Duration) -> Answer {
        self.ask(method, params, deadline, None).await
    }

    /// The same for work that the client does: when nobody waits for it any more, the client is told by the notification
    /// `cancel`, which names the request.
    pub async fn call(&self, method: &str, params: &str, deadline: Duration, cancel: &'static str) -> Answer {
        self.ask(method, params, deadline, Some(cancel)).await
    }

    async fn ask(&self, method: &str, params: &str, deadline: Duration, cancel: Option<&'static str>) -> Answer {
        let (id, answer) = self.pending().open()?;
        let mut asked = Asked { peer: self, id: &id, cancel, sent: false };
        let ask = async {
            self.send(frame::request(&id, method, params)).await?;
            asked.sent = true;
            answer.await.unwrap_or(Err(PeerError::Gone))
        };
        tokio::time::timeout(deadline, ask).await.unwrap_or(Err(PeerError::TimedOut))
    }

    /// For those who cannot wait.
    fn send_soon(&self, frame: String) {
        let Err(mpsc::error::TrySendError::Full(frame)) = self.shared.outbound.try_send(frame) else { return };
        // Without a runtime the connection is at its end.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let peer = self.clone();
        runtime.spawn(async move {
            tokio::select! {
                _ = peer.send(frame) => {}
                () = peer.closed().cancelled() => {}
            }
        });
    }

    pub(super) async fn send(&self, frame: String) -> Result<(), PeerError> {
        self.shared.outbound.send(frame).await.map_err(|_| PeerError::Gone)
    }

    pub(super) fn settle(&self, message: Message) {
        if let Message::Response { id, outcome } = message {
            let known = self.pending().settle(&id, outcome.map_err(PeerError::Refused));
            if !known {
                tracing::debug!(%id, "an answer to a request that nobody waits for");
            }
        }
    }

    /// Nothing more will be read from the peer: what waits for it fails now.
    pub(super) fn fail_pending(&self) {
        self.pending().close();
    }

    pub(super) fn close(&self) {
        self.fail_pending();
        self.shared.closing.cancel();
        self.shared.closed.cancel();
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that timed out or was dropped leaves nothing behind, here or at the client.
struct Asked<'a> {
    peer: &'a Peer,
    id: &'a Id,
    cancel: Option<&'static str>,
    /// Whether the client may have heard of it.
    sent: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let waits = self.peer.pending().forget(self.id);
        if let Some(cancel) = self.cancel.filter(|_| waits && self.sent) {
            self.peer.send_soon(frame::notification(cancel, &format!("{{\"id\":{}}}", self.id)));
        }
    }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
