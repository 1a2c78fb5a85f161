//! The habits of real clients, held over every way in.
//!
//! A habit is a value: what is written and how, what must come back, and how it ends. Beside what it says itself, each
//! frame is looked at as it comes, every answer must have been asked for, and the program must say nothing on standard
//! error. What clients of one protocol or another do to a daemon is in `frames`, `greetings`, `endings` and `answers`;
//! what takes more than one connection in `readers`; what they send for nothing, of the schema, in `nothing`.

mod answers;
mod endings;
mod frames;
mod greetings;
mod habit;
mod nothing;
mod place;
mod readers;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::wire::Framing;
use habit::Habit;
use place::{Place, Way};

/// No question waits longer than a moment.
const HURRIED: &str = "[helm]\napproval_timeout_ms = 100";

macro_rules! ways {
    ($($name:ident $way:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                hold($way).await;
            }
        )*
    };
}

ways! {
    over_the_program_in_lines Way::Program(Framing::Lines);
    over_the_program_in_headers Way::Program(Framing::Headers);
    over_the_shim_in_lines Way::Shim(Framing::Lines);
    over_the_shim_in_headers Way::Shim(Framing::Headers);
    over_the_socket_in_lines Way::Socket(Framing::Lines);
    over_the_socket_in_headers Way::Socket(Framing::Headers);
    over_a_websocket Way::WebSocket;
}

async fn hold(way: Way) {
    let patient = [frames::habits(), greetings::habits(), endings::habits(), answers::habits()].concat();
    let mut faults = hold_all(&Place::open(way, "").await, &patient).await;
    faults.extend(hold_all(&Place::open(way, HURRIED).await, &answers::habits_of_the_silent()).await);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What went wrong, a line each.
async fn hold_all(place: &Place, habits: &[Habit]) -> Vec<String> {
    let mut faults = Vec::new();
    for habit in habits.iter().filter(|habit| habit.suits(place.way)) {
        if let Err(fault) = AssertUnwindSafe(habit.play(place)).catch_unwind().await {
            faults.push(format!("{} over {:?}: {}", habit.name, place.way, text(fault.as_ref())));
        }
    }
    faults
}

fn text(fault: &(dyn Any + Send)) -> &str {
    let text = fault.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| fault.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word")
}
