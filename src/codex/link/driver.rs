//! The one task that owns the connection and does what the state machine says.
//!
//! A turn of its loop: orders; then what came in, so many frames at most, because a peer that floods must not keep
//! requests from going out; then what goes out, as much as the connection takes; last the clock, so that a pong that
//! came in time is seen before its deadline is. It waits for nobody: the listener takes what it hears or drops it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::pending::Outcome;
use super::shared::{Shared, Standing};
use super::shim::{self, Trouble};
use super::socket::{Bytestream, Incoming};
use super::state::{Effect, Input, Machine};
use super::way::{Line, Way};
use super::{Fault, FaultKind, Heard, LinkError, Listener, Server, State, handshake};
use crate::policy::Redactor;
use crate::rpc::{Id, Message, frame, parse};

/// Frames in a turn of the loop, each way.
const BUDGET: usize = 64;
/// For saying goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

pub(super) struct Driver {
    shared: Arc<Shared>,
    listener: Arc<dyn Listener>,
    redactor: Redactor,
    way: Box<dyn Way>,
    machine: Machine,
    stage: Stage,
    /// The number of the `initialize` that is not answered yet.
    initialize: Option<u64>,
    is_up: bool,
    clock: Option<Pin<Box<Sleep>>>,
}

enum Stage {
    Down,
    Connecting(BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>>),
    Connected(Box<dyn Bytestream>),
    Upgrading(BoxFuture<'static, Result<Line, Fault>>),
    Up(Line),
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        listener: Arc<dyn Listener>,
        redactor: Redactor,
        way: Box<dyn Way>,
        machine: Machine,
    ) -> Self {
        let stage = Stage::Down;
        Self { shared, listener, redactor, way, machine, stage, initialize: None, is_up: false, clock: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            let input = poll_fn(|cx| self.poll(cx)).await;
            if self.take(input) {
                break;
            }
        }
        if let Stage::Up(Line::Socket(socket)) = std::mem::replace(&mut self.stage, Stage::Down) {
            let _ = timeout(GOODBYE, socket.close()).await;
        }
        self.way.close().await;
    }

    /// The next thing that the machine has to know.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        let orders = self.shared.listen(cx.waker());
        if orders.close {
            return Poll::Ready(Input::Close);
        }
        if orders.again {
            return Poll::Ready(Input::Again);
        }
        if orders.wanted && self.machine.state() == State::Cold {
            return Poll::Ready(Input::Wanted);
        }
        if let Poll::Ready(input) = self.poll_stage(cx) {
            return Poll::Ready(input);
        }
        if self.machine.state() == State::Draining && self.shared.is_idle() {
            return Poll::Ready(Input::Idle);
        }
        self.poll_clock(cx).map(|()| Input::Tick)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.deadline() else { return Poll::Pending };
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if clock.deadline() != deadline {
            clock.as_mut().reset(deadline);
        }
        clock.poll_unpin(cx)
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        let (stage, input) = match &mut self.stage {
            Stage::Down | Stage::Connected(_) => return Poll::Pending,
            Stage::Up(_) => return self.poll_up(cx),
            Stage::Connecting(connecting) => match std::task::ready!(connecting.poll_unpin(cx)) {
                Ok(stream) => (Stage::Connected(stream), Input::Connected),
                Err(fault) => (Stage::Down, Input::Failed(fault)),
            },
            Stage::Upgrading(upgrading) => match std::task::ready!(upgrading.poll_unpin(cx)) {
                Ok(line) => (Stage::Up(line), Input::Upgraded),
                Err(fault) => (Stage::Down, Input::Failed(fault)),
            },
        };
        self.stage = stage;
        Poll::Ready(input)
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        for number in self.shared.forgotten() {
            if let Stage::Up(Line::Shim(shim)) = &mut self.stage {
                shim.forget(number);
            }
        }
        let mut reads = 0;
        while reads < BUDGET
            && let Poll::Ready(input) = self.read(cx)
        {
            reads += 1;
            if let Some(input) = input {
                return Poll::Ready(input);
            }
        }
        match self.write(cx) {
            Ok(writes) if reads == BUDGET || writes == BUDGET => cx.waker().wake_by_ref(),
            Ok(_) => {}
            Err(fault) => return Poll::Ready(Input::Failed(fault)),
        }
        Poll::Pending
    }

    /// One frame or answer; what comes of it for the machine.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        let socket = match &mut self.stage {
            Stage::Up(Line::Socket(socket)) => socket,
            Stage::Up(Line::Shim(shim)) => {
                let (number, answer) = std::task::ready!(shim.poll_next(cx));
                return Poll::Ready(self.answered(number, answer));
            }
            _ => return Poll::Pending,
        };
        Poll::Ready(match std::task::ready!(socket.poll_next(cx)) {
            Ok(Incoming::Text(text)) => self.hear(&text),
            Ok(Incoming::Pong) => Some(Input::Pong),
            Err(fault) => Some(Input::Failed(fault)),
        })
    }

    /// How many frames were begun.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<usize, Fault> {
        let Stage::Up(line) = &mut self.stage else { return Ok(0) };
        let mut writes = 0;
        while writes < BUDGET {
            if let Line::Socket(socket) = line {
                match socket.poll_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return Ok(writes),
                }
            }
            let next = if self.is_up { self.shared.next() } else { None };
            match (next, &mut *line) {
                (Some((_, frame)), Line::Socket(socket)) => socket.send(frame)?,
                (Some((Some(number), frame)), Line::Shim(shim)) => shim.send(number, frame),
                // It takes requests only.
                (Some((None, _)), Line::Shim(_)) => {}
                (None, _) => break,
            }
            writes += 1;
        }
        match line {
            Line::Socket(socket) => match socket.poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => {}
            },
            // What was begun has to be polled once.
            Line::Shim(_) if writes > 0 => cx.waker().wake_by_ref(),
            Line::Shim(_) => {}
        }
        Ok(writes)
    }

    /// What came of one request to a shim.
    fn answered(&mut self, number: u64, answer: shim::Answer) -> Option<Input> {
        let is_initialize = self.initialize.take_if(|initialize| *initialize == number).is_some();
        match answer {
            Err(Trouble::Rpc(_)) if is_initialize => Some(self.greeted_by_shim(None)),
            Ok(result) if is_initialize => Some(self.greeted_by_shim(Some(Arc::from(result)))),
            Err(Trouble::Request(fault) | Trouble::Link(fault)) if is_initialize => Some(Input::Failed(fault)),
            Ok(result) => self.settle(number, Ok(result)),
            Err(Trouble::Rpc(error)) => self.settle(number, Err(LinkError::Rpc(error))),
            Err(Trouble::Request(fault)) => {
                let fault = self.redacted(fault);
                self.settle(number, Err(LinkError::Lost(Arc::new(fault))))
            }
            Err(Trouble::Link(fault)) => {
                let fault = self.redacted(fault);
                self.settle(number, Err(LinkError::Down(Arc::new(fault.clone()))));
                Some(Input::Failed(fault))
            }
        }
    }

    fn greeted_by_shim(&mut self, result: Option<Arc<RawValue>>) -> Input {
        match result.as_deref().map_or(Ok(None), handshake::shim_server) {
            Ok(server) => {
                let unknown = || Server { user_agent: String::new(), version: None, codex_home: None, platform: None };
                let result = result.filter(|_| server.is_some());
                self.shared.greeted(Arc::new(server.unwrap_or_else(unknown)), result);
                Input::Initialized
            }
            Err(fault) => Input::Failed(fault),
        }
    }

    fn settle(&self, number: u64, outcome: Outcome) -> Option<Input> {
        if !self.shared.settle(number, outcome) {
            tracing::debug!(number, "the app-server answered what nobody waits for");
        }
        None
    }

    /// One frame; what comes of it for the machine.
    fn hear(&mut self, text: &str) -> Option<Input> {
        let params = |params: Option<Box<RawValue>>| Arc::from(params.unwrap_or_else(empty));
        match parse(text, usize::MAX) {
            Ok(Message::Response { id, outcome }) => {
                let number = id.our_number();
                if number.is_some() && number == self.initialize {
                    return Some(self.greeted(outcome.map_err(LinkError::Rpc)));
                }
                match number {
                    Some(number) => return self.settle(number, outcome.map_err(LinkError::Rpc)),
                    None => tracing::debug!(%id, "the app-server answered what nobody has asked"),
                }
            }
            Ok(Message::Notification { method, params: given }) => {
                let given: Arc<RawValue> = params(given);
                if method == "configWarning"
                    && let Some(fault) = handshake::config_warning(&given)
                {
                    return Some(Input::Failed(fault));
                }
                if self.is_up {
                    self.listener.hear(Heard::Notification { method: method.into(), params: given });
                } else if method == handshake::LAST_WORD {
                    return Some(Input::Settled);
                }
            }
            Ok(Message::Request { id, method, params: given }) if self.is_up => {
                self.shared.asked(&id);
                self.listener.hear(Heard::Request { id, method: method.into(), params: params(given) });
            }
            Ok(Message::Request { .. } | Message::StrayError) => {
                tracing::debug!("the app-server sent what cannot be dealt with");
            }
            Err(bad) => tracing::debug!(reason = ?bad.reason, "the app-server sent what is no message"),
        }
        None
    }

    /// The answer to `initialize`.
    fn greeted(&mut self, outcome: Result<Box<RawValue>, LinkError>) -> Input {
        self.initialize = None;
        let result = match outcome {
            Ok(result) => result,
            Err(error) => {
                let message = format!("the Codex app-server refuses to initialize: {error}");
                return Input::Failed(Fault::new(FaultKind::Protocol, message));
            }
        };
        match handshake::server(&result) {
            Ok(server) => {
                self.shared.greeted(Arc::new(server), Some(Arc::from(result)));
                Input::Initialized
            }
            Err(fault) => Input::Failed(fault),
        }
    }

    /// Tells the machine, and does what it says. Whether that was the end.
    fn take(&mut self, input: Input) -> bool {
        let input = match input {
            Input::Failed(fault) => Input::Failed(self.redacted(fault)),
            other => other,
        };
        let jitter = jitter();
        let mut failed = None;
        let mut ended = false;
        for effect in self.machine.handle(Instant::now(), jitter, input) {
            ended |= effect == Effect::Finish;
            if let Err(fault) = self.act(effect) {
                failed = Some(fault);
            }
        }
        self.shared.stand(self.standing(), None);
        match failed {
            Some(fault) => self.take(Input::Failed(fault)),
            None => ended,
        }
    }

    fn act(&mut self, effect: Effect) -> Result<(), Fault> {
        match effect {
            Effect::Connect => self.stage = Stage::Connecting(self.way.connect()),
            Effect::Upgrade => {
                if let Stage::Connected(stream) = std::mem::replace(&mut self.stage, Stage::Down) {
                    self.stage = Stage::Upgrading(self.way.upgrade(stream));
                }
            }
            Effect::Initialize => {
                let number = self.shared.number();
                self.initialize = Some(number);
                let frame = frame::request(&Id::ours(number), "initialize", handshake::PARAMS);
                match &mut self.stage {
                    Stage::Up(Line::Socket(socket)) => socket.send(frame)?,
                    Stage::Up(Line::Shim(shim)) => shim.send(number, frame),
                    _ => {}
                }
            }
            Effect::Greet => {
                if let Stage::Up(Line::Socket(socket)) = &mut self.stage {
                    socket.send(frame::notification("initialized", "{}"))?;
                }
            }
            Effect::Announce => {
                self.is_up = true;
                self.shared.stand(self.standing(), None);
                if let Some(server) = self.shared.status().server {
                    tracing::info!(user_agent = server.user_agent, "the app-server is ready");
                    self.listener.hear(Heard::Up(server));
                }
            }
            Effect::Ping => {
                if let Stage::Up(Line::Socket(socket)) = &mut self.stage {
                    socket.ping()?;
                }
            }
            Effect::Drop(fault) => self.drop_connection(&fault),
            Effect::Finish => {}
        }
        Ok(())
    }

    fn drop_connection(&mut self, fault: &Arc<Fault>) {
        if fault.kind != FaultKind::Closed {
            tracing::warn!(kind = fault.kind.as_str(), fault = fault.message, "no connection to the app-server");
            self.stage = Stage::Down;
        }
        self.initialize = None;
        self.way.dropped(fault);
        self.shared.stand(self.standing(), Some(fault));
        if std::mem::take(&mut self.is_up) {
            self.listener.hear(Heard::Down(fault.clone()));
        }
    }

    fn standing(&self) -> Standing {
        let state = self.machine.state();
        let retry = self.machine.deadline().filter(|_| state == State::Backoff);
        let retry_at = retry.map(|at| SystemTime::now() + at.saturating_duration_since(Instant::now()));
        Standing { state, fault: self.machine.fault().cloned(), retry_at, pid: self.way.pid() }
    }

    /// What another program says may hold a secret.
    fn redacted(&self, fault: Fault) -> Fault {
        Fault { message: self.redactor.redact(&fault.message), ..fault }
    }
}

impl Drop for Driver {
    /// Also if the runtime goes away under it.
    fn drop(&mut self) {
        let fault = super::shared::closing();
        let standing = Standing { state: State::Refused, fault: Some(fault.clone()), retry_at: None, pid: None };
        self.shared.stand(standing, Some(&fault));
        self.shared.ended.cancel();
    }
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("it is JSON")
}

/// From 0 to 1.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
