//! How long a shared daemon lives, as a plain value: what happens and the time go in, what to do comes out.

use std::time::Duration;

use tokio::time::Instant;

/// How soon it is looked again whether a turn has ended that runs for nobody who is connected.
const SOON: Duration = Duration::from_secs(1);

/// The same while clients are there: those who leave are noticed at once, those of other ways in by then.
const LATER: Duration = Duration::from_secs(30);

/// The same while the daemon only waits for that.
const AT_ONCE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Zero means for ever.
    pub idle: Duration,
    pub drain: Duration,
}

/// Who is connected and what is at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    pub clients: usize,
    /// Turns, those that wait included, and requests.
    pub work: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Until something happens, or until then.
    Wait(Option<Instant>),
    End,
}

pub struct Life {
    limits: Limits,
    phase: Phase,
}

enum Phase {
    Busy,
    Idle { since: Instant },
    Draining { until: Instant },
    Over,
}

impl Activity {
    pub fn is_idle(self) -> bool {
        self == Self::default()
    }
}

impl Life {
    pub fn new(limits: Limits) -> Self {
        Self { limits, phase: Phase::Busy }
    }

    /// Looks at what is going on now.
    pub fn look(&mut self, activity: Activity, now: Instant) -> Next {
        match self.phase {
            Phase::Over => Next::End,
            Phase::Draining { until } if activity.work == 0 || now >= until => Next::End,
            Phase::Draining { until } => Next::Wait(Some(until.min(now + AT_ONCE))),
            Phase::Busy | Phase::Idle { .. } if !activity.is_idle() => {
                self.phase = Phase::Busy;
                Next::Wait(Some(now + if activity.clients == 0 { SOON } else { LATER }))
            }
            Phase::Busy => {
                self.phase = Phase::Idle { since: now };
                self.look(activity, now)
            }
            Phase::Idle { .. } if self.limits.idle.is_zero() => Next::Wait(None),
            Phase::Idle { since } if now >= since + self.limits.idle => Next::End,
            Phase::Idle { since } => Next::Wait(Some(since + self.limits.idle)),
        }
    }

    /// Somebody was there, if only for a moment.
    pub fn touch(&mut self) {
        if matches!(self.phase, Phase::Idle { .. }) {
            self.phase = Phase::Busy;
        }
    }

    /// Nothing new begins, and what runs has its time.
    pub fn drain(&mut self, now: Instant) {
        if !self.is_ending() {
            self.phase = Phase::Draining { until: now + self.limits.drain };
        }
    }

    pub fn end(&mut self) {
        self.phase = Phase::Over;
    }

    /// The second time it means at once.
    pub fn interrupt(&mut self, now: Instant) {
        if self.is_ending() { self.end() } else { self.drain(now) }
    }

    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. } | Phase::Over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { idle: Duration::from_secs(1800), drain: Duration::from_secs(30) };
    const NOBODY: Activity = Activity { clients: 0, work: 0 };
    const CLIENT: Activity = Activity { clients: 1, work: 0 };
    const DETACHED: Activity = Activity { clients: 0, work: 1 };

    fn after(seconds: u64, start: Instant) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_nobody_was_there_for_long_enough() {
        let (start, mut life) = (Instant::now(), Life::new(LIMITS));
        assert_eq!(life.look(NOBODY, start), Next::Wait(Some(after(1800, start))));
        assert_eq!(life.look(CLIENT, after(1700, start)), Next::Wait(Some(after(1730, start))));
        let left = after(2000, start);
        assert_eq!(life.look(NOBODY, left), Next::Wait(Some(after(1800, left))));
        assert_eq!(life.look(NOBODY, after(1799, left)), Next::Wait(Some(after(1800, left))));
        assert_eq!(life.look(NOBODY, after(1800, left)), Next::End);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_there_for_a_moment_counts() {
        let (start, mut life) = (Instant::now(), Life::new(LIMITS));
        life.look(NOBODY, start);
        life.touch();
        let then = after(1700, start);
        assert_eq!(life.look(NOBODY, then), Next::Wait(Some(after(1800, then))));
        life.drain(then);
        life.touch();
        assert!(life.is_ending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_without_a_client_keeps_it_alive() {
        let (start, mut life) = (Instant::now(), Life::new(LIMITS));
        for hours in 0..5 {
            let now = after(hours * 3600, start);
            assert_eq!(life.look(DETACHED, now), Next::Wait(Some(after(1, now))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_waits_for_ever() {
        let mut life = Life::new(Limits { idle: Duration::ZERO, ..LIMITS });
        assert_eq!(life.look(NOBODY, Instant::now()), Next::Wait(None));
    }

    #[tokio::test(start_paused = true)]
    async fn it_drains_until_nothing_runs_or_the_time_is_over() {
        let (start, mut life) = (Instant::now(), Life::new(LIMITS));
        let work = Activity { clients: 2, work: 1 };
        life.drain(start);
        assert!(matches!(life.look(work, start), Next::Wait(Some(soon)) if soon < after(1, start)));
        // Being asked again gives no more time.
        life.drain(after(29, start));
        assert_eq!(life.look(CLIENT, after(29, start)), Next::End);
        assert_eq!(life.look(work, after(30, start)), Next::End);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_interrupt_means_at_once() {
        let (start, mut life) = (Instant::now(), Life::new(LIMITS));
        life.interrupt(start);
        assert!(matches!(life.look(DETACHED, start), Next::Wait(_)));
        life.interrupt(start);
        assert_eq!(life.look(DETACHED, start), Next::End);
    }
}
