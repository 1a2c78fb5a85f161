use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Effect, Input, Limits, Machine, delay};
use crate::codex::link::{Fault, FaultKind, State};

const SECOND: Duration = Duration::from_secs(1);

/// A machine with a clock that stands still until it is moved.
struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { machine: Machine::new(Limits::default()), now: Instant::now() }
    }

    fn ready() -> Self {
        let mut bench = Self::new();
        bench.give(Input::Wanted);
        bench.come_up();
        assert_eq!(bench.machine.state(), State::Ready);
        bench
    }

    fn give(&mut self, input: Input) -> Vec<String> {
        let effects = self.machine.handle(self.now, 0.0, input);
        effects.iter().map(shown).collect()
    }

    fn come_up(&mut self) {
        for input in [Input::Connected, Input::Upgraded, Input::Initialized, Input::Settled] {
            self.give(input);
        }
    }

    /// Moves the clock to the deadline and says so.
    fn ring(&mut self) -> (Duration, Vec<String>) {
        let deadline = self.machine.deadline().expect("a deadline");
        let waited = deadline - self.now;
        self.now = deadline;
        (waited, self.give(Input::Tick))
    }

    fn fail(&mut self, kind: FaultKind) -> Vec<String> {
        self.give(Input::Failed(Fault::new(kind, "it broke")))
    }
}

fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Drop(fault) => format!("drop: {}", fault.kind.as_str()),
        effect => format!("{effect:?}").to_ascii_lowercase(),
    }
}

#[test]
fn nothing_happens_until_it_is_wanted() {
    let mut bench = Bench::new();
    assert_eq!((bench.machine.state(), bench.machine.deadline()), (State::Cold, None));
    assert!(bench.give(Input::Tick).is_empty());
    assert_eq!(bench.give(Input::Wanted), ["connect"]);
    assert!(bench.give(Input::Wanted).is_empty(), "an attempt is under way");
    assert_eq!(bench.give(Input::Connected), ["upgrade"]);
    assert_eq!(bench.give(Input::Upgraded), ["initialize"]);
    assert_eq!(bench.machine.state(), State::Handshaking);
    assert_eq!(bench.give(Input::Initialized), ["greet"]);
    assert_eq!(bench.machine.state(), State::Handshaking);
    assert_eq!(bench.give(Input::Settled), ["announce"]);
    assert_eq!(bench.machine.state(), State::Ready);
    assert!(bench.machine.fault().is_none());
}

#[test]
fn each_step_of_an_attempt_has_its_limit() {
    let steps = [
        (vec![Input::Wanted], 10, "did not accept a connection within 10 s"),
        (vec![Input::Wanted, Input::Connected], 10, "did not upgrade the connection within 10 s"),
        (vec![Input::Wanted, Input::Connected, Input::Upgraded], 20, "did not answer initialize within 20 s"),
    ];
    for (inputs, limit, message) in steps {
        let mut bench = Bench::new();
        for input in inputs {
            bench.give(input);
        }
        assert_eq!(bench.ring(), (limit * SECOND, vec!["drop: timed-out".to_owned()]));
        assert!(bench.machine.fault().unwrap().message.ends_with(message));
        assert_eq!(bench.machine.state(), State::Backoff);
        assert_eq!(bench.ring().1, ["connect"]);
    }
}

#[test]
fn a_server_that_says_nothing_first_is_not_waited_for_long() {
    let mut bench = Bench::new();
    for input in [Input::Wanted, Input::Connected, Input::Upgraded, Input::Initialized] {
        bench.give(input);
    }
    assert_eq!(bench.ring(), (SECOND / 10, vec!["announce".to_owned()]));
    assert!(bench.give(Input::Settled).is_empty());
}

#[test]
fn a_ping_without_a_pong_breaks_the_connection() {
    let mut bench = Bench::ready();
    for _ in 0..3 {
        assert_eq!(bench.ring(), (20 * SECOND, vec!["ping".to_owned()]));
        bench.now += SECOND;
        bench.give(Input::Pong);
    }
    bench.ring();
    assert_eq!(bench.ring(), (10 * SECOND, vec!["drop: timed-out".to_owned()]));
    assert_eq!(bench.machine.state(), State::Backoff);
}

#[test]
fn delays_double_until_a_connection_has_lasted() {
    let mut bench = Bench::new();
    bench.give(Input::Wanted);
    for expected in [25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500] {
        bench.fail(FaultKind::NothingListening);
        assert_eq!(bench.ring().0, Duration::from_millis(expected));
    }
    bench.come_up();
    bench.fail(FaultKind::Broken);
    assert_eq!(bench.ring().0, Duration::from_millis(7500), "it was ready for a moment only");
    bench.come_up();
    bench.now += 5 * SECOND;
    bench.fail(FaultKind::Broken);
    assert_eq!(bench.ring().0, Duration::from_millis(25));
}

#[test]
fn half_of_a_delay_is_left_to_chance() {
    let limits = Limits::default();
    for (failures, jitter, expected) in
        [(0, 1.0, 50), (0, 0.5, 37), (3, 1.0, 400), (40, 1.0, 15_000), (40, 7.0, 15_000)]
    {
        assert_eq!(delay(&limits, failures, jitter).as_millis(), expected);
    }
}

#[test]
fn what_only_somebody_can_mend_is_not_tried_again_until_somebody_says_so() {
    use FaultKind::{BadConfiguration, HostNotAllowed, NotInstalled, WrongToken, WrongVersion};
    for kind in [BadConfiguration, HostNotAllowed, NotInstalled, WrongToken, WrongVersion] {
        let mut bench = Bench::ready();
        assert_eq!(bench.fail(kind), [format!("drop: {}", kind.as_str())]);
        assert_eq!((bench.machine.state(), bench.machine.deadline()), (State::Refused, None));
        assert!(bench.give(Input::Wanted).is_empty());
        assert_eq!(bench.give(Input::Again), ["connect"]);
    }
}

#[test]
fn a_new_attempt_is_made_at_once_for_whoever_asks_for_it() {
    let mut bench = Bench::ready();
    assert_eq!(bench.give(Input::Again), ["drop: closed", "connect"]);
    assert!(bench.give(Input::Again).is_empty());
    bench.fail(FaultKind::NothingListening);
    assert_eq!(bench.give(Input::Again), ["connect"]);
}

#[test]
fn closing_waits_for_what_is_in_flight_and_no_longer() {
    let mut bench = Bench::ready();
    assert!(bench.give(Input::Close).is_empty());
    assert_eq!(bench.machine.state(), State::Draining);
    assert_eq!(bench.give(Input::Idle), ["drop: closed", "finish"]);

    let mut bench = Bench::ready();
    bench.give(Input::Close);
    assert_eq!(bench.ring(), (2 * SECOND, vec!["drop: closed".to_owned(), "finish".to_owned()]));

    let mut bench = Bench::new();
    assert_eq!(bench.give(Input::Close), ["drop: closed", "finish"]);
    assert!(bench.give(Input::Again).is_empty(), "it is over");
}

fn input() -> impl Strategy<Value = (u64, u8)> {
    (0..40_000_u64, 0..14_u8)
}

fn of(number: u8) -> Input {
    match number {
        0 => Input::Wanted,
        1 => Input::Again,
        2 => Input::Connected,
        3 => Input::Upgraded,
        4 => Input::Initialized,
        5 => Input::Pong,
        6 => Input::Failed(Fault::new(FaultKind::Broken, "")),
        7 => Input::Failed(Fault::new(FaultKind::WrongToken, "")),
        8 => Input::Close,
        9 => Input::Idle,
        10 => Input::Settled,
        _ => Input::Tick,
    }
}

proptest! {
    /// Whatever comes in whatever order: a state that waits has a deadline, which a tick moves on; who is told that it is
    /// up is told that it is down; nothing happens after the end.
    #[test]
    fn any_order_of_things_is_survived(inputs in prop::collection::vec(input(), 0..200)) {
        let mut machine = Machine::new(Limits::default());
        let mut now = Instant::now();
        let (mut is_up, mut is_over) = (false, false);
        for (later, number) in inputs {
            now += Duration::from_millis(later);
            let effects = machine.handle(now, 0.5, of(number));
            prop_assert!(!is_over || effects.is_empty());
            for effect in effects {
                match effect {
                    Effect::Announce => {
                        prop_assert!(!is_up);
                        is_up = true;
                    }
                    Effect::Drop(_) => is_up = false,
                    Effect::Ping => prop_assert!(is_up),
                    Effect::Finish => is_over = true,
                    Effect::Connect | Effect::Upgrade | Effect::Initialize | Effect::Greet => prop_assert!(!is_up),
                }
            }
            let waits = !matches!(machine.state(), State::Cold | State::Refused);
            prop_assert_eq!(machine.deadline().is_some(), waits, "{:?}", machine.state());
            prop_assert_eq!(is_up, matches!(machine.state(), State::Ready | State::Draining));
            if let Some(deadline) = machine.deadline() {
                machine.handle(deadline.max(now), 0.5, Input::Tick);
                now = deadline.max(now);
                prop_assert!(machine.deadline().is_none_or(|next| next > now));
                is_up = matches!(machine.state(), State::Ready | State::Draining);
                is_over |= machine.fault().is_some_and(|fault| fault.kind == FaultKind::Closed)
                    && machine.state() == State::Refused;
            }
        }
    }
}
