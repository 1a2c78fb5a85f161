//! What app-servers and shims before them answer in one way or another.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The answer to `thread/start`, `thread/resume` and `thread/fork`; shims of the past name the thread at the top.
#[derive(Deserialize)]
struct Started {
    thread: Option<Named>,
    thread_id: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// The thread that an answer tells of.
pub fn started_thread(result: &RawValue) -> Option<String> {
    let started: Started = serde_json::from_str(result.get()).ok()?;
    started.thread.map(|thread| thread.id).or(started.thread_id).or(started.id)
}

/// The answer to `turn/start` of shims that run the turn before they answer.
#[derive(Deserialize)]
struct Ran {
    output: Option<Vec<Said>>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
}

/// What a turn said that is over already; none if it has only begun.
pub fn immediate_text(result: &RawValue) -> Option<String> {
    let ran: Ran = serde_json::from_str(result.get()).ok()?;
    let said = ran.output.map(|output| output.into_iter().map(|said| said.text).collect::<Vec<_>>().concat());
    said.or(ran.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn a_thread_is_found_in_answers_of_now_and_of_the_past() {
        for (result, thread) in [
            (r#"{"thread":{"id":"t","turns":[]},"model":"m"}"#, Some("t")),
            (r#"{"thread_id":"t"}"#, Some("t")),
            (r#"{"id":"t"}"#, Some("t")),
            (r#"{"thread":null}"#, None),
            ("{}", None),
            ("[]", None),
        ] {
            assert_eq!(started_thread(&raw(result)).as_deref(), thread, "{result}");
        }
    }

    #[test]
    fn a_turn_that_is_over_says_what_it_said() {
        for (result, text) in [
            (r#"{"turn":{"id":"u","status":"inProgress"}}"#, None),
            (r#"{"turn_id":"u","output":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#, Some("ab")),
            (r#"{"text":"a"}"#, Some("a")),
        ] {
            assert_eq!(immediate_text(&raw(result)).as_deref(), text, "{result}");
        }
    }
}
