//! One sign-in from its code to its end, as a plain value: whether the issuer may be asked now, and what its answers come
//! to. A client that asks too often is answered in here, and the issuer is left alone.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::Polled;
use crate::model::ProviderError;

/// What is added to the interval when the issuer wants to be asked less often: the number of RFC 8628.
const SLOWER: Duration = Duration::from_secs(5);
/// However often it says so.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// How often the interval is doubled while the issuer cannot be reached.
const MOST_DOUBLINGS: u32 = 3;

#[derive(Debug)]
pub struct Flow {
    interval: Duration,
    next: Instant,
    expires: Instant,
    /// An answer is on its way.
    asking: bool,
    /// Answers that did not come, one after the other.
    failures: u32,
    trouble: Option<ProviderError>,
    ended: Option<Ended>,
}

#[derive(Clone, Debug)]
pub enum Ended {
    SignedIn,
    /// The user said no.
    Denied,
    Expired,
    Failed(ProviderError),
}

/// What is to be done when a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Ask the issuer, and tell the flow what it answered.
    Ask,
    /// Nothing: it was asked a moment ago.
    TooSoon,
    /// Nothing: it is being asked, or there is nothing left to ask.
    Nothing,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub struct View {
    /// None while it goes on.
    pub ended: Option<Ended>,
    /// How long to wait before asking again.
    pub wait: Duration,
    pub left: Duration,
    /// Why the issuer has not answered, if it has not.
    pub trouble: Option<ProviderError>,
}

impl Flow {
    pub fn new(interval: Duration, lifetime: Duration, now: Instant) -> Self {
        Self {
            interval: interval.min(LONGEST_INTERVAL),
            next: now + interval,
            expires: now + lifetime,
            asking: false,
            failures: 0,
            trouble: None,
            ended: None,
        }
    }

    pub fn due(&mut self, now: Instant) -> Due {
        if self.ended.is_none() && !self.asking && now >= self.expires {
            self.ended = Some(Ended::Expired);
        }
        if self.ended.is_some() || self.asking {
            return Due::Nothing;
        }
        if now < self.next {
            return Due::TooSoon;
        }
        self.asking = true;
        Due::Ask
    }

    /// The answer to what [`Due::Ask`] asked for; tokens are told of by [`Self::end`], once they are kept.
    pub fn answered(&mut self, polled: Polled, now: Instant) {
        self.asking = false;
        let unreachable = match polled {
            Polled::Unreachable(error) => Some(error),
            Polled::SlowDown => {
                self.interval = (self.interval + SLOWER).min(LONGEST_INTERVAL);
                None
            }
            Polled::Pending | Polled::Tokens(_) => None,
            Polled::Denied => return self.end(Ended::Denied),
            Polled::Expired => return self.end(Ended::Expired),
            Polled::Refused(error) => return self.end(Ended::Failed(error)),
        };
        self.failures = if unreachable.is_some() { self.failures.saturating_add(1) } else { 0 };
        self.trouble = unreachable;
        let factor = 1 << self.failures.min(MOST_DOUBLINGS);
        self.next = now + (self.interval * factor).min(LONGEST_INTERVAL);
    }

    /// The first end counts.
    pub fn end(&mut self, ended: Ended) {
        self.asking = false;
        self.ended.get_or_insert(ended);
    }

    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether nobody need remember it any longer.
    pub fn is_forgotten(&self, now: Instant) -> bool {
        !self.asking && now >= self.expires
    }

    pub fn view(&self, now: Instant) -> View {
        View {
            ended: self.ended.clone(),
            wait: self.interval.max(self.next.saturating_duration_since(now)),
            left: self.expires.saturating_duration_since(now),
            trouble: self.trouble.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Due, Ended, Flow};
    use crate::model::{ErrorKind, ProviderError};
    use crate::providers::codex::sign_in::wire::Polled;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn unreachable() -> Polled {
        Polled::Unreachable(ProviderError::new(ErrorKind::Network, "it is away"))
    }

    /// Asks at each of these seconds; `!` stands for a question to the issuer, answered with `answer`.
    #[track_caller]
    fn check(answer: impl Fn() -> Polled, at: &[u64], expected: &str) -> (Flow, Instant) {
        let begin = Instant::now();
        let mut flow = Flow::new(seconds(5), seconds(900), begin);
        let told = at.iter().map(|at| {
            let now = begin + seconds(*at);
            match flow.due(now) {
                Due::Ask => {
                    assert_eq!(flow.due(now), Due::Nothing, "one question at a time");
                    flow.answered(answer(), now);
                    '!'
                }
                Due::TooSoon => '.',
                Due::Nothing => '-',
            }
        });
        assert_eq!(told.collect::<String>(), expected);
        (flow, begin)
    }

    #[test]
    fn the_issuer_is_asked_at_its_own_pace() {
        check(|| Polled::Pending, &[0, 4, 5, 6, 9, 10, 16], "..!..!!");
        check(|| Polled::SlowDown, &[5, 10, 14, 15, 29, 30], "!..!.!");
        let (flow, begin) = check(|| Polled::SlowDown, &(0..=600).collect::<Vec<_>>(), &slower());
        assert_eq!(flow.view(begin + seconds(600)).wait, seconds(60), "not ever slower");
    }

    /// Five seconds more each time, up to a minute.
    fn slower() -> String {
        let mut asked = vec![5];
        while let Some(last) = asked.last().filter(|last| **last <= 600) {
            let interval = (5 + 5 * asked.len() as u64).min(60);
            asked.push(last + interval);
        }
        (0..=600).map(|at| if asked.contains(&at) { '!' } else { '.' }).collect()
    }

    #[test]
    fn one_that_cannot_be_reached_is_left_alone_longer_and_asked_until_the_end() {
        let (flow, begin) = check(unreachable, &[5, 10, 15, 34, 35, 74, 75, 114, 115, 900], "!.!.!.!.!-");
        let view = flow.view(begin + seconds(900));
        assert!(matches!(view.ended, Some(Ended::Expired)));
        assert_eq!(view.trouble.expect("a reason").message, "it is away");
        let (mut flow, begin) = check(unreachable, &[5, 15], "!!");
        assert_eq!(flow.due(begin + seconds(35)), Due::Ask);
        flow.answered(Polled::Pending, begin + seconds(35));
        let view = flow.view(begin + seconds(35));
        assert!(view.trouble.is_none() && view.wait == seconds(5), "it is back");
    }

    #[test]
    fn an_end_is_final_and_remembered_until_it_would_have_expired() {
        let (mut flow, begin) = check(|| Polled::Denied, &[5, 10, 100], "!--");
        flow.end(Ended::SignedIn);
        assert!(matches!(flow.view(begin).ended, Some(Ended::Denied)));
        assert!(flow.is_over() && !flow.is_forgotten(begin + seconds(899)) && flow.is_forgotten(begin + seconds(900)));
        let refused = || Polled::Refused(ProviderError::new(ErrorKind::InvalidRequest, "no such client"));
        let (flow, begin) = check(refused, &[5, 10], "!-");
        assert!(matches!(flow.view(begin).ended, Some(Ended::Failed(error)) if error.message == "no such client"));
    }

    #[test]
    fn a_question_on_its_way_is_waited_for_beyond_the_expiry() {
        let begin = Instant::now();
        let mut flow = Flow::new(seconds(5), seconds(60), begin);
        assert_eq!(flow.due(begin + seconds(59)), Due::Ask);
        assert_eq!(flow.due(begin + seconds(61)), Due::Nothing);
        assert!(!flow.is_over() && !flow.is_forgotten(begin + seconds(61)));
        flow.end(Ended::SignedIn);
        assert!(matches!(flow.view(begin + seconds(62)).ended, Some(Ended::SignedIn)));
    }
}
