//! How clients take their leave: in every order, at every stage, and in the middle of a word.

use serde_json::json;

use super::habit::Said::{Anything, Error, Holds, Result};
use super::habit::{Habit, notification, request};
use crate::wire::Framing;

const NAP: &str = r#"{"content":"call take-a-nap {}","mode":"auto","stream":true}"#;

pub fn habits() -> Vec<Habit> {
    [orders(), at_work(), cut_off()].concat()
}

fn exit() -> String {
    notification("exit", "null")
}

impl Habit {
    fn greet(self) -> Self {
        self.ask("0", "initialize", r#"{"capabilities":{}}"#, Result).say(notification("initialized", "{}"))
    }

    fn shut_down(self) -> Self {
        self.ask("\"bye\"", "shutdown", "null", Holds("", json!(null)))
    }

    /// A turn that does not end by itself.
    fn work(self) -> Self {
        self.say(request("1", "conductor.message", NAP)).wait("conductor.event")
    }
}

fn orders() -> Vec<Habit> {
    let of = Habit::of;
    vec![
        of("exit comes first").say(exit()).ends(1),
        of("exit comes without shutdown").greet().say(exit()).ends(1),
        of("shutdown comes first").shut_down().say(exit()).ends(0),
        of("shutdown, then exit").greet().shut_down().say(exit()).ends(0),
        of("it was never ready").ask("0", "initialize", "{}", Result).shut_down().say(exit()).ends(0),
        of("shutdown comes twice").greet().shut_down().ask("1", "shutdown", "null", Error(-32600)).say(exit()).ends(0),
        of("requests follow shutdown")
            .shut_down()
            .ask("1", "sessions.list", "{}", Error(-32600))
            .ask("2", "initialize", "{}", Error(-32600))
            .ask("3", "conductor.message", r#"{"content":"hello"}"#, Error(-32600))
            .say(exit())
            .ends(0),
        of("notifications follow shutdown")
            .greet()
            .shut_down()
            .say(notification("initialized", "{}"))
            .say(notification("$/setTrace", r#"{"value":"off"}"#))
            .say(exit())
            .ends(0),
        of("a shutdown that wants no answer is none").greet().say(notification("shutdown", "{}")).say(exit()).ends(1),
        of("a life in one write")
            .together([
                request("0", "initialize", "{}"),
                notification("initialized", "{}"),
                request("1", "sessions.list", "{}"),
                request("2", "shutdown", "null"),
                exit(),
            ])
            .hear("0", Result)
            .hear("1", Anything)
            .hear("2", Result)
            .ends(0),
        of("the input ends after shutdown, without exit").greet().shut_down().end_input().ends(0),
        of("the input ends after exit").greet().shut_down().say(exit()).end_input().ends(0),
        of("the input ends before anything").end_input().ends(0),
        of("the input ends after a greeting").greet().end_input().ends(0),
        of("the input ends after a notification").say(notification("$/setTrace", "{}")).end_input().ends(0),
    ]
}

fn at_work() -> Vec<Habit> {
    let of = Habit::of;
    vec![
        of("shutdown and exit in mid-turn").greet().work().shut_down().say(exit()).hear("1", Error(-32802)).ends(0),
        of("exit in mid-turn").work().say(exit()).hear("1", Error(-32802)).ends(1),
        of("what is at work at shutdown can still be cancelled")
            .greet()
            .work()
            .shut_down()
            .say(notification("$/cancelRequest", r#"{"id":1}"#))
            .hear("1", Error(-32800))
            .say(exit())
            .ends(0),
        of("the input ends in mid-turn").greet().work().end_input().hear("1", Error(-32802)).ends(0),
        of("the input ends in mid-turn, after shutdown")
            .work()
            .shut_down()
            .end_input()
            .hear("1", Error(-32802))
            .ends(0),
    ]
}

fn cut_off() -> Vec<Habit> {
    let list = request("1", "sessions.list", "{}");
    vec![
        // What a line says is known at its end only.
        Habit::of("the input ends in a line")
            .only(Framing::Lines)
            .greet()
            .write(&list[..list.len() - 9])
            .end_input()
            .hear("null", Error(-32700))
            .ends(0),
        Habit::of("the input ends in a first line")
            .only(Framing::Lines)
            .write(&list[..9])
            .end_input()
            .hear("null", Error(-32700))
            .ends(0),
        Habit::of("the input ends with a line that has no end")
            .only(Framing::Lines)
            .write(&list)
            .end_input()
            .hear("1", Result)
            .ends(0),
        Habit::of("the input ends in a body")
            .only(Framing::Headers)
            .greet()
            .write("Content-Length: 50\r\n\r\n{\"id\":1")
            .end_input()
            .ends(0),
        Habit::of("the input ends in a header")
            .only(Framing::Headers)
            .greet()
            .write("Content-Length: 5")
            .end_input()
            .ends(0),
        Habit::of("the input ends in a first header").only(Framing::Headers).write("Content-Len").end_input().ends(0),
    ]
}
