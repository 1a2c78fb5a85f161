//! Sending the events of sessions to one client, at the pace at which it reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::convert;
use crate::helm::{Batch, EventLog, Reader, Watch};
use crate::protocol::{Notification, names};
use crate::rpc::{Peer, PeerError};

pub struct Subscriptions {
    peer: Peer,
    by_session: Mutex<HashMap<String, Subscription>>,
}

struct Subscription {
    task: AbortHandle,
    /// The last sequence number that was sent.
    sent: watch::Receiver<u64>,
    _watch: Watch,
}

impl Subscriptions {
    pub fn new(peer: Peer) -> Self {
        Self { peer, by_session: Mutex::default() }
    }

    /// Sends from when `begin` fires. A second subscription to a session takes the place of the first. Gives the log's
    /// last sequence number.
    pub fn subscribe(&self, session: &str, log: &Arc<EventLog>, after: Option<u64>, begin: CancellationToken) -> u64 {
        let seq = log.last_seq();
        let reader = log.read(after.or(Some(seq)));
        let (sending, sent) = watch::channel(reader.position());
        let forward = forward(self.peer.clone(), session.to_owned(), reader, sending);
        let task = tokio::spawn(async move {
            begin.cancelled().await;
            forward.await;
        });
        let task = task.abort_handle();
        let subscription = Subscription { task, sent, _watch: log.watch() };
        if let Some(before) = self.map().insert(session.to_owned(), subscription) {
            before.task.abort();
        }
        seq
    }

    /// The client is leaving: it no longer counts among those who watch.
    pub fn close(&self) {
        self.map().drain().for_each(|(_, subscription)| subscription.task.abort());
    }

    pub fn unsubscribe(&self, session: &str) {
        if let Some(subscription) = self.map().remove(session) {
            subscription.task.abort();
        }
    }

    pub fn has(&self, session: &str) -> bool {
        self.map().contains_key(session)
    }

    /// Waits until the subscription has sent this event; at once if there is none.
    pub async fn caught_up(&self, session: &str, seq: u64) {
        let sent = self.map().get(session).map(|subscription| subscription.sent.clone());
        if let Some(mut sent) = sent {
            // The channel closes when the subscription ends, and then there is nothing to wait for.
            let _ = sent.wait_for(|sent| *sent >= seq).await;
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Subscription>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.close();
    }
}

async fn forward(peer: Peer, session: String, mut reader: Reader, sending: watch::Sender<u64>) {
    loop {
        let batch = tokio::select! {
            batch = reader.next() => batch,
            () = peer.closing().cancelled() => return,
        };
        if send(&peer, &session, batch, None).await.is_err() {
            return;
        }
        sending.send_replace(reader.position());
    }
}

/// Sends a batch, or what of it belongs to one turn.
pub async fn send(peer: &Peer, session: &str, batch: Batch, turn_id: Option<&str>) -> Result<(), PeerError> {
    if let Some(seq) = batch.lost_up_to {
        notify(peer, &convert::resync(session, seq)).await?;
    }
    for entry in batch.entries {
        if turn_id.is_none_or(|turn_id| *turn_id == *entry.turn_id) {
            notify(peer, &convert::event(session, entry)).await?;
        }
    }
    Ok(())
}

async fn notify(peer: &Peer, params: &impl serde::Serialize) -> Result<(), PeerError> {
    let params: Box<RawValue> = to_raw_value(params).expect("wire types are made of JSON values");
    peer.notify(names::ConductorEvent::NAME, params.get()).await
}
