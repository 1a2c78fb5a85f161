//! The life of the link as a plain value: what has happened and the time go in, what is to be done comes out.
//!
//! It knows no transport and has no clock. Whoever drives it does every [`Effect`] in order, and comes back with
//! [`Input::Tick`] at [`Machine::deadline`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, FaultKind, State};

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub connect: Duration,
    pub upgrade: Duration,
    pub initialize: Duration,
    /// What the server has to say first, of its configuration above all, comes before any request goes out.
    pub settle: Duration,
    /// None where there is nothing that could be pinged.
    pub ping_every: Option<Duration>,
    pub pong_within: Duration,
    /// For what is in flight when the link is closed.
    pub drain: Duration,
    pub first_delay: Duration,
    pub longest_delay: Duration,
    /// A connection that lasted less has proved nothing: the delays go on growing.
    pub steady: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            upgrade: Duration::from_secs(10),
            initialize: Duration::from_secs(20),
            settle: Duration::from_millis(100),
            ping_every: Some(Duration::from_secs(20)),
            pong_within: Duration::from_secs(10),
            drain: Duration::from_secs(2),
            first_delay: Duration::from_millis(50),
            longest_delay: Duration::from_secs(15),
            steady: Duration::from_secs(5),
        }
    }
}

#[derive(Debug)]
pub(super) enum Input {
    /// Somebody needs the connection.
    Wanted,
    /// Somebody wants a new attempt, now: what stood in the way may be mended.
    Again,
    Connected,
    Upgraded,
    Initialized,
    /// The server has said what it says first.
    Settled,
    Pong,
    Failed(Fault),
    /// The link is no longer needed. What is in flight may end.
    Close,
    /// Nothing is in flight.
    Idle,
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Connect,
    Upgrade,
    Initialize,
    /// The answer to `initialize` is acknowledged.
    Greet,
    /// Requests may go out, and whoever listens is told.
    Announce,
    Ping,
    /// Whatever there is of a connection is let go; what waits for an answer, or for this attempt, fails.
    Drop(Arc<Fault>),
    /// The end: nothing happens any more.
    Finish,
}

pub(super) struct Machine {
    limits: Limits,
    phase: Phase,
    /// Attempts that came to nothing, one after the other.
    failures: u32,
    fault: Option<Arc<Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Cold,
    Connecting { until: Instant },
    Upgrading { until: Instant },
    Initializing { until: Instant },
    Settling { until: Instant },
    Ready { since: Instant, pulse: Option<Pulse> },
    Draining { until: Instant },
    Backoff { until: Instant },
    Refused,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulse {
    PingAt(Instant),
    PongUntil(Instant),
}

impl Pulse {
    fn at(self) -> Instant {
        match self {
            Self::PingAt(at) | Self::PongUntil(at) => at,
        }
    }
}

impl Machine {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, phase: Phase::Cold, failures: 0, fault: None }
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Cold => State::Cold,
            Phase::Connecting { .. } => State::Connecting,
            Phase::Upgrading { .. } | Phase::Initializing { .. } | Phase::Settling { .. } => State::Handshaking,
            Phase::Ready { .. } => State::Ready,
            Phase::Draining { .. } => State::Draining,
            Phase::Backoff { .. } => State::Backoff,
            Phase::Refused | Phase::Closed => State::Refused,
        }
    }

    /// Why it is not up.
    pub(super) fn fault(&self) -> Option<&Arc<Fault>> {
        self.fault.as_ref()
    }

    /// When it wants to be asked again, if nothing happens until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting { until }
            | Phase::Upgrading { until }
            | Phase::Initializing { until }
            | Phase::Settling { until }
            | Phase::Draining { until }
            | Phase::Backoff { until } => Some(until),
            Phase::Ready { pulse, .. } => pulse.map(Pulse::at),
            Phase::Cold | Phase::Refused | Phase::Closed => None,
        }
    }

    /// `jitter` is between 0 and 1: how much of the half of a delay that is left to chance is waited.
    pub(super) fn handle(&mut self, now: Instant, jitter: f64, input: Input) -> Vec<Effect> {
        match (self.phase, input) {
            (Phase::Closed, _) => Vec::new(),
            (Phase::Cold, Input::Wanted) | (Phase::Cold | Phase::Backoff { .. } | Phase::Refused, Input::Again) => {
                self.connect(now)
            }
            (Phase::Ready { .. }, Input::Again) => {
                let fault = Fault::new(FaultKind::Closed, "the connection to the Codex app-server is made anew");
                let mut effects = vec![self.drop_it(fault)];
                effects.extend(self.connect(now));
                effects
            }
            (Phase::Connecting { .. }, Input::Connected) => {
                self.phase = Phase::Upgrading { until: now + self.limits.upgrade };
                vec![Effect::Upgrade]
            }
            (Phase::Upgrading { .. }, Input::Upgraded) => {
                self.phase = Phase::Initializing { until: now + self.limits.initialize };
                vec![Effect::Initialize]
            }
            (Phase::Initializing { .. }, Input::Initialized) => {
                self.phase = Phase::Settling { until: now + self.limits.settle };
                vec![Effect::Greet]
            }
            (Phase::Settling { .. }, Input::Settled) => self.ready(now),
            (Phase::Ready { since, .. }, Input::Pong) => {
                self.phase = Phase::Ready { since, pulse: self.next_ping(now) };
                Vec::new()
            }
            (_, Input::Failed(fault)) => self.fail(now, jitter, fault),
            (Phase::Ready { .. }, Input::Close) => {
                self.phase = Phase::Draining { until: now + self.limits.drain };
                Vec::new()
            }
            (Phase::Draining { .. }, Input::Idle) => self.finish(),
            (Phase::Draining { .. }, Input::Close) => Vec::new(),
            (_, Input::Close) => self.finish(),
            (_, Input::Tick) if self.deadline().is_some_and(|deadline| now >= deadline) => self.ring(now, jitter),
            _ => Vec::new(),
        }
    }

    /// The deadline has passed.
    fn ring(&mut self, now: Instant, jitter: f64) -> Vec<Effect> {
        let late = |what: &str, limit: Duration| {
            let message = format!("the Codex app-server did not {what} within {} s", limit.as_secs());
            Fault::new(FaultKind::TimedOut, message).with_hint("is it an app-server, and not stuck? restart it if so")
        };
        match self.phase {
            Phase::Backoff { .. } => self.connect(now),
            Phase::Settling { .. } => self.ready(now),
            Phase::Draining { .. } => self.finish(),
            Phase::Ready { since, pulse: Some(Pulse::PingAt(_)) } => {
                let pulse = Some(Pulse::PongUntil(now + self.limits.pong_within));
                self.phase = Phase::Ready { since, pulse };
                vec![Effect::Ping]
            }
            Phase::Connecting { .. } => self.fail(now, jitter, late("accept a connection", self.limits.connect)),
            Phase::Upgrading { .. } => self.fail(now, jitter, late("upgrade the connection", self.limits.upgrade)),
            Phase::Initializing { .. } => self.fail(now, jitter, late("answer initialize", self.limits.initialize)),
            Phase::Ready { .. } => self.fail(now, jitter, late("answer a ping", self.limits.pong_within)),
            Phase::Cold | Phase::Refused | Phase::Closed => Vec::new(),
        }
    }

    fn connect(&mut self, now: Instant) -> Vec<Effect> {
        self.phase = Phase::Connecting { until: now + self.limits.connect };
        vec![Effect::Connect]
    }

    fn ready(&mut self, now: Instant) -> Vec<Effect> {
        self.fault = None;
        self.phase = Phase::Ready { since: now, pulse: self.next_ping(now) };
        vec![Effect::Announce]
    }

    fn fail(&mut self, now: Instant, jitter: f64, fault: Fault) -> Vec<Effect> {
        let is_final = fault.kind.is_final();
        self.phase = match self.phase {
            // An attempt that was given up already.
            Phase::Cold | Phase::Backoff { .. } | Phase::Refused | Phase::Closed => return Vec::new(),
            Phase::Draining { .. } => return self.finish(),
            _ if is_final => Phase::Refused,
            phase => {
                if matches!(phase, Phase::Ready { since, .. } if now >= since + self.limits.steady) {
                    self.failures = 0;
                }
                let until = now + delay(&self.limits, self.failures, jitter);
                self.failures = self.failures.saturating_add(1);
                Phase::Backoff { until }
            }
        };
        vec![self.drop_it(fault)]
    }

    fn finish(&mut self) -> Vec<Effect> {
        self.phase = Phase::Closed;
        let fault = Fault::new(FaultKind::Closed, "the connection to the Codex app-server is closed");
        vec![self.drop_it(fault), Effect::Finish]
    }

    fn drop_it(&mut self, fault: Fault) -> Effect {
        let fault = Arc::new(fault);
        self.fault = Some(fault.clone());
        Effect::Drop(fault)
    }

    fn next_ping(&self, now: Instant) -> Option<Pulse> {
        self.limits.ping_every.map(|every| Pulse::PingAt(now + every))
    }
}

/// Doubles with each failure; half of it is certain, half is left to chance.
fn delay(limits: &Limits, failures: u32, jitter: f64) -> Duration {
    let doubled = limits.first_delay.saturating_mul(1_u32 << failures.min(20));
    let half = doubled.min(limits.longest_delay) / 2;
    half + half.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
