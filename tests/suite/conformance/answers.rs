//! How clients answer what the daemon asks them, or do not.

use serde_json::json;

use super::habit::Said::{self, Holds, Result};
use super::habit::{Habit, notification, request};

const HELD: &str = r#"{"mode":"selective","content":"call write-note {\"text\":\"quince\"}"}"#;

/// What counts at once, however long may be waited.
pub fn habits() -> Vec<Habit> {
    let yes = r#"{"decision":"approve"}"#;
    let answers = |name, answer: String, said| Habit::of(name).asked().say(answer).hear("1", said);
    let says = |members: &str| format!(r#"{{"jsonrpc":"2.0","id":"s1",{members}}}"#);
    vec![
        answers("it answers", says(&format!(r#""result":{yes}"#)), ran()),
        answers("it answers without a version", format!(r#"{{"id":"s1","result":{yes}}}"#), ran()),
        answers("it answers with members that nobody knows", says(&format!(r#""result":{yes},"trace":"x""#)), ran()),
        answers("it answers with an error that is null", says(&format!(r#""result":{yes},"error":null"#)), ran()),
        answers(
            "it answers with an input that is null",
            says(r#""result":{"decision":"approve","input":null}"#),
            ran(),
        ),
        answers(
            "it fails, with a result that is null",
            says(r#""error":{"code":1,"message":"no"},"result":null"#),
            held(),
        ),
        answers("it does not know the method", says(r#""error":{"code":-32601,"message":"no"}"#), held()),
        answers("its error is none", says(r#""error":"no""#), held()),
        answers("its handler gives null", says(r#""result":null"#), held()),
        answers("its handler gives nothing", says(r#""result":{}"#), held()),
        answers("its handler gives a word", says(r#""result":"approve""#), held()),
        answers("it answers with neither a result nor an error", r#"{"jsonrpc":"2.0","id":"s1"}"#.to_owned(), held()),
        Habit::of("it answers twice")
            .asked()
            .together([says(&format!(r#""result":{yes}"#)), says(r#""result":{"decision":"deny"}"#)])
            .hear("1", ran()),
        Habit::of("it leaves while it is asked").asked().end_input().hear("1", held()).ends(0),
        Habit::of("it leaves politely while it is asked")
            .asked()
            .ask("2", "shutdown", "null", Result)
            .say(notification("exit", "null"))
            .hear("1", Said::Anything)
            .ends(0),
        Habit::of("it is never ready to be asked")
            .ask("0", "initialize", r#"{"capabilities":{"approvals":true}}"#, Result)
            .ask("1", "conductor.message", HELD, held()),
        Habit::of("it cannot be asked").ask("1", "conductor.message", HELD, held()),
    ]
}

/// What is over when the time for an answer is.
pub fn habits_of_the_silent() -> Vec<Habit> {
    let silent = |name| Habit::of(name).asked();
    let says = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"decision":"approve"}}}}"#);
    let late = "conductor.approvalResolved";
    let wrong = ["1", "\"1\"", "\"s99\"", "\"S1\"", "\"\"", "1.5", "null"];
    let wrong = wrong.iter().fold(silent("it answers under other ids"), |habit, id| habit.say(says(id)));
    vec![
        silent("it never answers").wait(late).hear("1", held()),
        wrong.wait(late).hear("1", held()),
        silent("it answers too late").wait(late).hear("1", held()).say(says("\"s1\"")),
        silent("it tells instead of answering")
            .say(notification("conductor.approval", r#"{"decision":"approve"}"#))
            .wait(late)
            .hear("1", held()),
    ]
}

fn ran() -> Said {
    Holds("/trace/0/ok", json!(true))
}

fn held() -> Said {
    Holds("/halted", json!("dangerous-skill"))
}

impl Habit {
    /// To the question, whose id is `s1`.
    fn asked(self) -> Self {
        self.ask("0", "initialize", r#"{"capabilities":{"approvals":true}}"#, Result)
            .say(notification("initialized", "{}"))
            .say(request("1", "conductor.message", HELD))
            .wait("conductor.approval")
    }
}
