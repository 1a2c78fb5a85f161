//! The loop that owns a connection.
//!
//! One task reads, decides and answers; handlers are polled once in the order in which their requests came, and those
//! that are not done by then go on as tasks of their own. A second task writes, so that a slow reader holds up its own
//! connection only. Every request is answered from this loop, so none is answered twice, and at the end of the
//! connection those still open are answered too.
//!
//! Who waits: a handler that notifies, and then this loop, once the outbound queue is full.
//! Who is refused: a request beyond the number allowed in flight.
//! Who is cut off: a client that takes no byte for as long as the write limit allows.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use jsonrpsee::types::{Extensions, Id as PlainId, Params};
use jsonrpsee::{MethodCallback, MethodResponse, Methods};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::frame::{self, BadFrame};
use super::{Call, Id, Message, Peer, Reason, RpcError, parse, write};
use crate::transport::{Fault, Inbound, ReadError, Sink, Source};

/// What the connection serves. One value a connection.
pub trait Service: Send + Sync {
    fn methods(&self) -> &Methods;
    /// Whether a request may go to its handler now.
    fn admit(&self, method: &str) -> Result<(), RpcError>;
    /// What handlers find in their extensions beside the [`Call`].
    fn extend(&self, extensions: &mut Extensions);
    /// Called in the order in which notifications and requests came.
    fn notification(&self, method: &str, params: Option<&RawValue>) -> Verdict;
    /// Called once, when nothing more will be heard from the client.
    fn input_ended(&self) {}
    /// Whether nothing that goes on here matters to this client, beside the requests it waits for.
    fn is_spare(&self) -> bool;
    /// How a fault reads to the client.
    fn fault(&self, reason: Reason) -> RpcError;
}

/// What the loop does after a notification.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    Continue,
    Cancel(Id),
    /// End the connection; the number is for whoever waits for the process.
    Exit(i32),
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub json_depth: usize,
    pub in_flight: usize,
    pub outbound_frames: usize,
    pub write_timeout: Duration,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    InputEnded,
    Exit(i32),
    /// The input cannot be read on.
    Broken(Fault),
    /// The client no longer reads, or the transport failed.
    Gone,
    /// We were asked to stop.
    Stopped,
}

/// After the end of input: how long requests may still come to their own end, how long cancelled ones may take, and
/// when the last byte is written or not at all. Editors kill a server that takes more than two seconds.
const FINISH: Duration = Duration::from_millis(1500);
const SETTLE: Duration = Duration::from_millis(1800);
const FLUSH: Duration = Duration::from_millis(2000);

/// How long a cancelled handler may take to abort what it does upstream.
const CANCEL: Duration = Duration::from_secs(2);

/// What connections are told from outside.
#[derive(Clone, Default)]
pub struct Stops {
    /// Whoever waits for nothing had better go on elsewhere.
    pub leave: CancellationToken,
    /// All is over.
    pub stop: CancellationToken,
}

/// Serves until the connection ends or is stopped.
pub async fn serve<S: Service>(
    (mut source, sink): (Box<dyn Source>, Box<dyn Sink>),
    limits: Limits,
    Stops { leave, stop }: Stops,
    service: impl FnOnce(Peer) -> Arc<S>,
) -> End {
    let mut connection = Connection::start(sink, limits, service);
    let (service, peer) = (Arc::clone(&connection.service), connection.peer.clone());
    let closed = peer.closed().clone();
    let end = loop {
        tokio::select! {
            biased;
            // A client that is gone makes all else pointless.
            () = closed.cancelled() => break End::Gone,
            // Answers before new requests: they free the places that new ones need.
            Some(done) = connection.tasks.join_next() => connection.finished(done).await,
            inbound = source.next() => match connection.inbound(inbound).await {
                None => {}
                Some(end) => break end,
            },
            // Last, so that what has been read before the stop is dealt with.
            () = stop.cancelled() => break End::Stopped,
            () = spare(&leave, &*service, &peer) => break End::Stopped,
        }
    };
    connection.end(&end).await;
    end
}

/// Returns when the client had better go elsewhere. What it waits for may change with everything that it says, so this is
/// asked anew each time.
async fn spare(leave: &CancellationToken, service: &impl Service, peer: &Peer) {
    leave.cancelled().await;
    if peer.in_flight() > 0 || !service.is_spare() {
        std::future::pending::<()>().await;
    }
}

struct Connection<S> {
    service: Arc<S>,
    peer: Peer,
    limits: Limits,
    tasks: JoinSet<Done>,
    in_flight: HashMap<Id, InFlight>,
    writer: JoinHandle<()>,
    /// Told to write what is queued and end.
    finish_writing: oneshot::Sender<()>,
}

struct InFlight {
    cancel: CancellationToken,
    answered: CancellationToken,
    /// Decides how the end of a cancelled request is told.
    by_client: bool,
}

struct Done {
    id: Id,
    outcome: Outcome,
}

enum Outcome {
    Answered { response: MethodResponse, method: String },
    Cancelled,
    Panicked(String),
}

type Work = BoxFuture<'static, Result<MethodResponse, Box<dyn std::any::Any + Send>>>;

impl<S: Service> Connection<S> {
    fn start(sink: Box<dyn Sink>, limits: Limits, service: impl FnOnce(Peer) -> Arc<S>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (outbound, queue) = mpsc::channel(limits.outbound_frames);
        let (finish_writing, finish) = oneshot::channel();
        let closed = CancellationToken::new();
        let peer = Peer::new(NUMBER.fetch_add(1, Ordering::Relaxed), outbound, closed.clone());
        let writer = tokio::spawn(write(sink, queue, finish, limits.write_timeout, closed));
        let service = service(peer.clone());
        Self { service, peer, limits, tasks: JoinSet::new(), in_flight: HashMap::new(), writer, finish_writing }
    }

    async fn inbound(&mut self, inbound: Result<Option<Inbound>, ReadError>) -> Option<End> {
        let text = match inbound {
            Ok(Some(Inbound::Frame(text))) => text,
            Ok(Some(Inbound::TooLong { limit })) => {
                self.refuse(None, Reason::TooLong { limit }).await;
                return None;
            }
            Ok(Some(Inbound::NotUtf8)) => {
                self.refuse(None, Reason::NotUtf8).await;
                return None;
            }
            Ok(None) => return Some(End::InputEnded),
            Err(ReadError::Framing(fault)) => {
                // To something that is no JSON-RPC client nothing is said.
                if let Fault::Header(why) = &fault {
                    self.refuse(None, Reason::BrokenHeader(why.clone())).await;
                }
                return Some(End::Broken(fault));
            }
            Err(ReadError::Io(error)) => {
                tracing::debug!(%error, "reading from the client failed");
                return Some(End::InputEnded);
            }
        };
        match parse(&text, self.limits.json_depth) {
            Ok(Message::Request { id, method, params }) => self.request(id, method, params).await,
            Ok(Message::Notification { method, params }) => {
                match self.service.notification(&method, params.as_deref()) {
                    Verdict::Continue => {}
                    Verdict::Cancel(id) => self.cancel(&id),
                    Verdict::Exit(code) => return Some(End::Exit(code)),
                }
            }
            Ok(Message::StrayError) => {}
            Ok(response) => self.peer.settle(response),
            Err(BadFrame { id, reason }) => self.refuse(id.as_ref(), reason).await,
        }
        None
    }

    async fn request(&mut self, id: Id, method: String, params: Option<Box<RawValue>>) {
        if self.in_flight.contains_key(&id) {
            let reason = Reason::InvalidRequest(format!("a request with id {id} is still at work"));
            return self.refuse(Some(&id), reason).await;
        }
        if self.in_flight.len() >= self.limits.in_flight {
            return self.refuse(Some(&id), Reason::Overloaded { limit: self.limits.in_flight }).await;
        }
        if let Err(error) = self.service.admit(&method) {
            return self.answer(Some(&id), Err(&error)).await;
        }
        let cancel = CancellationToken::new();
        let answered = CancellationToken::new();
        let call = Call { peer: self.peer.clone(), cancelled: cancel.clone(), answered: answered.clone() };
        let Some(mut work) = self.work(&method, params, call) else {
            return self.refuse(Some(&id), Reason::UnknownMethod(method)).await;
        };
        // The first poll happens here, so that handlers begin in the order of their requests.
        if let std::task::Poll::Ready(response) = futures_util::poll!(work.as_mut()) {
            let outcome = Outcome::of(response, method);
            self.settle(&id, outcome, true).await;
            return answered.cancel();
        }
        self.in_flight.insert(id.clone(), InFlight { cancel: cancel.clone(), answered, by_client: false });
        self.peer.set_in_flight(self.in_flight.len());
        let closing = self.peer.closing().clone();
        self.tasks.spawn(async move {
            let outcome = tokio::select! {
                biased;
                // First: what the handler says once it is cancelled is not its answer.
                () = cancel.cancelled() => {
                    if timeout(CANCEL, &mut work).await.is_err() {
                        tracing::warn!(%method, "a cancelled request did not come to an end in time");
                    }
                    Outcome::Cancelled
                }
                response = &mut work => Outcome::of(response, method),
                // The loop bounds how long this may take.
                () = closing.cancelled() => {
                    let _ = work.await;
                    Outcome::Cancelled
                }
            };
            Done { id, outcome }
        });
    }

    /// The handler's future, with its panics caught.
    fn work(&self, method: &str, params: Option<Box<RawValue>>, call: Call) -> Option<Work> {
        let callback = self.service.methods().method(method)?.clone();
        let mut extensions = call.into_extensions();
        self.service.extend(&mut extensions);
        let params = Params::new(params.as_deref().map(RawValue::get)).into_owned();
        // The registry wants an id of its own kind; ours is put back when the answer is written.
        let (id, number, max) = (PlainId::Number(0), (self.peer.number() as usize).into(), usize::MAX);
        let work: BoxFuture<'static, MethodResponse> = match callback {
            MethodCallback::Async(handler) => handler(id, params, number, max, extensions),
            MethodCallback::Sync(handler) => async move { handler(id, params, max, extensions) }.boxed(),
            MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_) => return None,
        };
        Some(AssertUnwindSafe(work).catch_unwind().boxed())
    }

    fn cancel(&mut self, id: &Id) {
        if let Some(request) = self.in_flight.get_mut(id) {
            request.by_client = true;
            request.cancel.cancel();
        }
    }

    async fn finished(&mut self, done: Result<Done, tokio::task::JoinError>) {
        // Panics are caught within the task, so a join error is a task that was aborted at the end.
        let Ok(Done { id, outcome }) = done else { return };
        let request = self.in_flight.remove(&id);
        self.peer.set_in_flight(self.in_flight.len());
        self.settle(&id, outcome, request.as_ref().is_some_and(|request| request.by_client)).await;
        if let Some(request) = request {
            request.answered.cancel();
        }
    }

    async fn settle(&self, id: &Id, outcome: Outcome, by_client: bool) {
        match outcome {
            Outcome::Answered { response, method } => match Parts::of(&response) {
                Ok(Parts { result: Some(result), .. }) => self.answer(Some(id), Ok(result)).await,
                Ok(Parts { error: Some(error), .. }) => self.answer(Some(id), Err(&error)).await,
                _ => self.refuse(Some(id), Reason::Panicked { method }).await,
            },
            Outcome::Cancelled if by_client => self.refuse(Some(id), Reason::Cancelled).await,
            Outcome::Cancelled => self.refuse(Some(id), Reason::ShuttingDown).await,
            Outcome::Panicked(method) => self.refuse(Some(id), Reason::Panicked { method }).await,
        }
    }

    async fn refuse(&self, id: Option<&Id>, reason: Reason) {
        let error = self.service.fault(reason);
        self.answer(id, Err(&error)).await;
    }

    async fn answer(&self, id: Option<&Id>, outcome: Result<&RawValue, &RpcError>) {
        // A client that is gone is noticed by the loop; there is nobody left to tell.
        let _ = self.peer.send(frame::answer(id, outcome)).await;
    }

    /// Lets requests come to an end, cancels the rest, answers all, and flushes, within a bound.
    async fn end(mut self, end: &End) {
        let start = Instant::now();
        self.service.input_ended();
        self.peer.fail_pending();
        if matches!(end, End::InputEnded | End::Broken(_)) {
            let closed = self.peer.closed().clone();
            let settle = async {
                self.settle_until(start + FINISH).await;
                self.peer.work().close();
                // What is not done by then is stopped with the rest.
                let _ = timeout_at(start + FINISH, self.peer.work().wait()).await;
            };
            // Nothing is finished for a client that no longer reads.
            tokio::select! {
                () = settle => {}
                () = closed.cancelled() => {}
            }
        }
        self.peer.closing().cancel();
        self.settle_until(start + SETTLE).await;
        self.tasks.abort_all();
        let unanswered: Vec<Id> = self.in_flight.drain().map(|(id, _)| id).collect();
        if !self.peer.closed().is_cancelled() {
            for id in unanswered {
                let _ = timeout_at(start + FLUSH, self.refuse(Some(&id), Reason::ShuttingDown)).await;
            }
        }
        let _ = self.finish_writing.send(());
        if timeout_at(start + FLUSH, &mut self.writer).await.is_err() {
            self.writer.abort();
        }
        self.peer.close();
    }

    async fn settle_until(&mut self, deadline: Instant) {
        while let Ok(Some(done)) = timeout_at(deadline, self.tasks.join_next()).await {
            if timeout_at(deadline, self.finished(done)).await.is_err() {
                return;
            }
        }
    }
}

impl Outcome {
    fn of(response: Result<MethodResponse, Box<dyn std::any::Any + Send>>, method: String) -> Self {
        match response {
            Ok(response) => Self::Answered { response, method },
            Err(_) => Self::Panicked(method),
        }
    }
}

/// What the registry wraps into an envelope, taken out again.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

impl<'a> Parts<'a> {
    fn of(response: &'a MethodResponse) -> serde_json::Result<Self> {
        let mut parts: Self = serde_json::from_str(response.as_json().get())?;
        // A result of `null` reads as none.
        if parts.result.is_none() && parts.error.is_none() {
            parts.result = Some(RawValue::NULL);
        }
        Ok(parts)
    }
}
