//! Sending one client what it wants to hear of the app-server, at the pace at which it reads.
//!
//! Two tasks, begun once it wants something: one takes what the app-server says and never waits, the other sends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::outbox::{Item, Outbox};
use crate::api::convert;
use crate::codex::link::Heard;
use crate::codex::{AppServer, Question, Settled, thread_of};
use crate::protocol::{CodexLostParams, Notification, names};
use crate::rpc::{Peer, PeerError};

pub struct Audience {
    server: Arc<AppServer>,
    peer: Peer,
    outbox: Mutex<Outbox>,
    /// Told when there is something to send.
    filled: Notify,
    /// Answers that go before what is sent.
    answers: Mutex<Vec<CancellationToken>>,
    begun: AtomicBool,
}

/// A request under way that makes or joins a thread.
pub struct Starting {
    audience: Arc<Audience>,
    thread: Option<String>,
}

/// Too many threads.
#[derive(Debug, PartialEq)]
pub struct TooMany;

impl Audience {
    pub fn new(server: Arc<AppServer>, peer: Peer) -> Arc<Self> {
        let (outbox, filled, answers) = (Mutex::default(), Notify::new(), Mutex::default());
        Arc::new(Self { server, peer, outbox, filled, answers, begun: AtomicBool::new(false) })
    }

    pub fn is_of(&self, server: &Arc<AppServer>) -> bool {
        Arc::ptr_eq(&self.server, server)
    }

    /// Gives the questions that are open. What comes is sent once `answered` fires.
    pub fn subscribe(
        self: &Arc<Self>,
        thread: Option<&str>,
        answered: CancellationToken,
    ) -> Result<Vec<Arc<Question>>, TooMany> {
        self.begin();
        let watch = thread.map(|thread| self.server.watch(thread, false).ok_or(TooMany)).transpose()?;
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answered);
        let mut outbox = self.outbox();
        match thread.zip(watch) {
            Some((thread, watch)) => outbox.subscribe(thread, watch).then_some(()).ok_or(TooMany)?,
            None => outbox.subscribe_to_all(),
        }
        let mut open = self.server.desk().open();
        open.retain(|question| thread.is_none() || question.thread.as_deref() == thread);
        for question in &open {
            outbox.tell(question);
        }
        Ok(open)
    }

    pub fn unsubscribe(&self, thread: Option<&str>) {
        let mut outbox = self.outbox();
        match thread {
            Some(thread) => outbox.unsubscribe(thread),
            None => outbox.unsubscribe_from_all(),
        }
    }

    /// Before a request goes out whose answer names a thread that will be this client's.
    pub fn start(self: &Arc<Self>) -> Starting {
        self.begin();
        self.outbox().start();
        Starting { audience: Arc::clone(self), thread: None }
    }

    /// Nothing that is said after this call is missed.
    fn begin(self: &Arc<Self>) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let (heard, settled) = (self.server.hub().listen(), self.server.desk().settled());
        let (listening, sending) = (Arc::clone(self), Arc::clone(self));
        tokio::spawn(async move {
            tokio::select! {
                () = listening.listen(heard, settled) => {}
                () = listening.peer.closed().cancelled() => {}
            }
            // The threads are watched no more.
            *listening.outbox() = Outbox::default();
        });
        tokio::spawn(async move {
            tokio::select! {
                // Whoever is gone hears nothing.
                _ = sending.send() => {}
                () = sending.peer.closed().cancelled() => {}
            }
        });
    }

    async fn listen(&self, mut heard: broadcast::Receiver<Heard>, mut settled: broadcast::Receiver<Settled>) {
        loop {
            let fills = tokio::select! {
                // In order: of a question is heard before its end.
                biased;
                heard = heard.recv() => match heard {
                    Ok(heard) => self.item(heard).is_some_and(|item| self.outbox().offer(item)),
                    Err(RecvError::Lagged(count)) => self.lag(count),
                    Err(RecvError::Closed) => return,
                },
                settled = settled.recv() => match settled {
                    Ok(settled) => self.outbox().settled(settled),
                    Err(RecvError::Lagged(_)) => false,
                    Err(RecvError::Closed) => return,
                },
            };
            if fills {
                self.filled.notify_one();
            }
        }
    }

    fn item(&self, heard: Heard) -> Option<Item> {
        match heard {
            Heard::Up(_) | Heard::Down(_) => None,
            Heard::Notification { method, params } => {
                let thread = thread_of(&params);
                Some(Item::Notification { method, params, thread })
            }
            // One that is settled by now is nobody's affair any more.
            Heard::Request { id, .. } => self.server.desk().find(&id).map(Item::Asked),
        }
    }

    fn lag(&self, count: u64) -> bool {
        let mut outbox = self.outbox();
        outbox.lost(count);
        // Questions may be among them.
        for question in self.server.desk().open() {
            outbox.offer(Item::Asked(question));
        }
        true
    }

    async fn send(&self) -> Result<(), PeerError> {
        loop {
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if let Some(answer) = answer {
                answer.cancelled().await;
                continue;
            }
            let item = self.outbox().next();
            match item {
                None => self.filled.notified().await,
                Some(Item::Notification { method, params, thread }) => {
                    let params = self.server.clean((*params).to_owned());
                    self.notify::<names::CodexNotification>(&convert::codex_notification(&method, params, thread))
                        .await?;
                }
                Some(Item::Asked(question)) => {
                    let params = self.server.clean((*question.params).to_owned());
                    self.notify::<names::CodexRequest>(&convert::codex_request(&question, params)).await?;
                }
                Some(Item::Resolved(settled)) => {
                    self.notify::<names::CodexRequestResolved>(&convert::codex_resolved(settled)).await?;
                }
                Some(Item::Lost(count)) => self.notify::<names::CodexLost>(&CodexLostParams { count }).await?,
            }
        }
    }

    async fn notify<N: Notification>(&self, params: &N::Params) -> Result<(), PeerError>
    where
        N::Params: Serialize,
    {
        let params = to_raw_value(params).expect("wire types are made of JSON values");
        self.peer.notify(N::NAME, params.get()).await
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Starting {
    /// The thread that came of it.
    pub fn made(mut self, thread: String) {
        self.thread = Some(thread);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let audience = &self.audience;
        let thread = self.thread.take();
        let owned = thread.and_then(|thread| Some((thread.clone(), audience.server.watch(&thread, true)?)));
        let mut outbox = audience.outbox();
        let name = owned.as_ref().map(|(thread, _)| thread.clone());
        outbox.started(owned);
        // One that was resumed may have had questions before.
        let open = audience.server.desk().open().into_iter().filter(|_| name.is_some());
        for question in open.filter(|question| question.thread == name) {
            outbox.offer(Item::Asked(question));
        }
        drop(outbox);
        audience.filled.notify_one();
    }
}
