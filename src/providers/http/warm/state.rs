//! How the way to one origin stands, as a plain value: what happened and when goes in, what to do next comes out.
//!
//! A link that carries requests is never probed: they keep it open themselves, and show that it is.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Jitter adds up to as much again.
const LONGEST_DELAY: Duration = Duration::from_secs(150);
/// HTTP/2 is pinged, so that it is looked at only to replace a connection that the other side ended: less often.
const PINGED: u32 = 4;

/// What clients see of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Nothing has gone there yet.
    #[default]
    Unknown,
    Connecting,
    Warm,
    Failed,
}

#[derive(Debug)]
pub(super) struct State {
    every: Duration,
    phase: Phase,
    /// Requests whose answer has not come to its end.
    under_way: usize,
    delays: ExponentialBackoff,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Cold,
    Connecting,
    /// Looked at again when nothing has gone there until then.
    Warm {
        until: Instant,
        rest: Duration,
    },
    /// Without a time, trying again would not help.
    Failed {
        again: Option<Instant>,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fact {
    ProbeBegan,
    Answered {
        http2: bool,
    },
    /// There is no connection, or none that answers.
    ProbeFailed {
        hopeless: bool,
    },
    RequestBegan,
    /// No connection could be made, or it broke before an answer.
    RequestFailed,
    RequestEnded,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    Probe,
    /// Until then there is nothing to do.
    Wait(Instant),
    Rest,
}

impl State {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, phase: Phase::Cold, under_way: 0, delays: delays() }
    }

    pub(super) fn take(&mut self, fact: Fact, now: Instant) {
        match fact {
            Fact::ProbeBegan => self.phase = Phase::Connecting,
            Fact::RequestBegan => self.under_way += 1,
            Fact::Answered { http2 } => {
                let rest = if http2 { self.every * PINGED } else { self.every };
                self.phase = Phase::Warm { until: now + rest, rest };
                self.delays = delays();
            }
            // A request that was answered meanwhile knows better.
            Fact::ProbeFailed { .. } if self.phase != Phase::Connecting => {}
            Fact::ProbeFailed { hopeless: true } => self.phase = Phase::Failed { again: None },
            Fact::ProbeFailed { hopeless: false } | Fact::RequestFailed => {
                self.phase = Phase::Failed { again: Some(now + self.delay()) };
            }
            Fact::RequestEnded => {
                self.under_way = self.under_way.saturating_sub(1);
                if let Phase::Warm { until, rest } = &mut self.phase {
                    *until = now + *rest;
                }
            }
        }
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        let due = match self.phase {
            Phase::Cold => now,
            // Only one asks, and it does not ask while it waits for an answer.
            Phase::Connecting => return Next::Probe,
            Phase::Warm { until, .. } => until,
            Phase::Failed { again: Some(again) } => again,
            Phase::Failed { again: None } => return Next::Rest,
        };
        if self.under_way > 0 {
            return Next::Wait(due.max(now + self.every));
        }
        if due <= now { Next::Probe } else { Next::Wait(due) }
    }

    pub(super) fn shown(&self) -> LinkState {
        match self.phase {
            Phase::Cold => LinkState::Unknown,
            Phase::Connecting => LinkState::Connecting,
            Phase::Warm { .. } => LinkState::Warm,
            Phase::Failed { .. } => LinkState::Failed,
        }
    }

    fn delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(LONGEST_DELAY)
    }
}

/// With jitter, so that the daemons of a whole office do not fall upon a server together when it is back.
fn delays() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(FIRST_DELAY).with_max_delay(LONGEST_DELAY);
    builder.without_max_times().with_jitter().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(45);
    const FAILED: Fact = Fact::ProbeFailed { hopeless: false };
    const ANSWERED: Fact = Fact::Answered { http2: false };

    /// What comes next after these facts, which happen at these seconds, when it is asked at the last of them.
    fn check(facts: &[(u64, Fact)], shown: LinkState, next: impl Fn(Instant) -> Next) {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut state = State::new(EVERY);
        for (seconds, fact) in facts {
            state.take(*fact, at(*seconds));
        }
        let now = at(facts.last().map_or(0, |(seconds, _)| *seconds));
        assert_eq!((state.shown(), state.next(now)), (shown, next(start)), "{facts:?}");
    }

    fn wait(seconds: u64) -> impl Fn(Instant) -> Next {
        move |start| Next::Wait(start + Duration::from_secs(seconds))
    }

    #[test]
    fn it_is_opened_at_once_and_looked_after() {
        check(&[], LinkState::Unknown, |_| Next::Probe);
        check(&[(0, Fact::ProbeBegan), (2, ANSWERED)], LinkState::Warm, wait(47));
        check(&[(0, Fact::ProbeBegan), (2, Fact::Answered { http2: true })], LinkState::Warm, wait(182));
        let start = Instant::now();
        let mut state = State::new(EVERY);
        state.take(ANSWERED, start);
        assert_eq!(state.next(start + EVERY), Next::Probe);
    }

    #[test]
    fn a_busy_link_is_never_probed() {
        use Fact::{RequestBegan, RequestEnded};
        check(&[(0, RequestBegan)], LinkState::Unknown, wait(45));
        check(&[(0, ANSWERED), (44, RequestBegan)], LinkState::Warm, wait(89));
        check(&[(0, ANSWERED), (1, RequestBegan), (2, ANSWERED), (900, RequestBegan)], LinkState::Warm, wait(945));
        check(&[(0, RequestBegan), (1, ANSWERED), (600, RequestEnded)], LinkState::Warm, wait(645));
        check(&[(0, RequestBegan), (0, RequestBegan), (3, RequestEnded)], LinkState::Unknown, wait(48));
    }

    #[test]
    fn a_request_that_fares_otherwise_than_the_probe_did_is_believed() {
        use Fact::{ProbeBegan, RequestBegan, RequestEnded, RequestFailed};
        check(&[(0, ProbeBegan), (0, FAILED), (1, RequestBegan), (2, ANSWERED)], LinkState::Warm, wait(47));
        check(&[(0, ProbeBegan), (1, RequestBegan), (2, ANSWERED), (3, FAILED)], LinkState::Warm, wait(48));
        let start = Instant::now();
        let mut state = State::new(EVERY);
        for fact in [ANSWERED, RequestBegan, RequestFailed, RequestEnded] {
            state.take(fact, start);
        }
        assert_eq!(state.shown(), LinkState::Failed);
        assert!(matches!(state.next(start), Next::Wait(until) if until - start < EVERY));
    }

    #[test]
    fn a_host_that_is_down_is_asked_ever_more_rarely() {
        let now = Instant::now();
        let mut state = State::new(EVERY);
        let mut waits = Vec::new();
        for _ in 0..12 {
            state.take(Fact::ProbeBegan, now);
            state.take(FAILED, now);
            let Next::Wait(until) = state.next(now) else { panic!("it is asked at once") };
            waits.push(until - now);
        }
        for (turn, wait) in waits.iter().enumerate() {
            let least = (FIRST_DELAY * 2_u32.pow(u32::try_from(turn).unwrap())).min(LONGEST_DELAY);
            assert!((least..=least * 2).contains(wait), "{turn}: {waits:?}");
        }
        for fact in [ANSWERED, Fact::ProbeBegan, FAILED] {
            state.take(fact, now);
        }
        let Next::Wait(until) = state.next(now) else { panic!("it is asked at once") };
        assert!(until - now <= FIRST_DELAY * 2, "an answer starts it over");
    }

    #[test]
    fn what_cannot_help_is_left_alone() {
        check(&[(0, Fact::ProbeBegan), (0, Fact::ProbeFailed { hopeless: true })], LinkState::Failed, |_| Next::Rest);
    }
}
