//! The parameters of a method, from a request: its body, its query, its path; by the names that have been in use.

use std::collections::HashMap;
use std::time::Duration;

use axum::RequestPartsExt;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, Request};
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tokio::time::timeout;
use url::form_urlencoded;

use super::envelope::Failure;

/// For each piece of a body.
const PIECE: Duration = Duration::from_secs(15);

/// Of a body that is too long, so many bytes are thrown away.
const HEARD_OUT: usize = 64 * 1024 * 1024;

/// Other names of parameters, once they are spelled as ours are.
const ALIASES: [(&str, &str, &str); 5] = [
    ("conductor.message", "message", "content"),
    ("conductor.message", "session", "sessionName"),
    ("conductor.approve", "session", "sessionName"),
    ("conductor.interrupt", "session", "sessionName"),
    ("skills.invoke", "arguments", "input"),
];

/// Other names of modes.
const MODES: [(&str, &str); 2] = [("plan", "propose"), ("execute", "auto")];

/// All that the request says, by the names of the method's parameters.
pub async fn of(method: &str, request: Request, limit: usize) -> Result<Map<String, Value>, Failure> {
    let (mut head, body) = request.into_parts();
    let in_path = head.extract::<Path<HashMap<String, String>>>().await.map(|Path(names)| names).unwrap_or_default();
    let mut fields = match head.method {
        Method::GET | Method::HEAD => in_query(head.uri.query().unwrap_or_default()),
        _ => in_body(&read(body, limit).await?)?,
    };
    fields = known(method, fields);
    fields.extend(in_path.into_iter().map(|(name, value)| (name, value.into())));
    Ok(fields)
}

/// The whole body, as text.
pub async fn read(mut body: Body, limit: usize) -> Result<String, Failure> {
    let too_long = || {
        let error = format!("the body of the request is longer than {limit} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E_TOO_LARGE", &error)
            .with_hint("What is longer goes over the socket, or over the WebSocket at GET /rpc.")
    };
    // What says so itself is not kept.
    if body.size_hint().lower() > limit as u64 {
        hear_out(&mut body).await;
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    loop {
        let piece = timeout(PIECE, body.frame()).await.map_err(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "E_TIMEOUT", "the rest of the request did not come")
        })?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|_| bad("the body of the request broke off"))?;
        if let Some(data) = piece.data_ref() {
            if bytes.len() + data.len() > limit {
                drop(bytes);
                hear_out(&mut body).await;
                return Err(too_long());
            }
            bytes.extend_from_slice(data);
        }
    }
    String::from_utf8(bytes).map_err(|_| bad("the body of the request is not UTF-8 text"))
}

/// Most clients listen once they have said all: who is cut off before does not hear why.
async fn hear_out(body: &mut Body) {
    let heard = async {
        let mut left = HEARD_OUT;
        while let Some(Ok(piece)) = body.frame().await {
            left = left.saturating_sub(piece.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Whether it was all or not, it is answered.
    let _ = timeout(PIECE, heard).await;
}

/// Whoever asks to be told at once that a turn was accepted does not stay to wait for it.
pub fn leave_running(method: &str, fields: &mut Map<String, Value>) {
    let starts = matches!(method, "conductor.message" | "conductor.approve");
    if starts && fields.get("wait").is_some_and(|wait| wait == "accepted") {
        fields.entry("detach").or_insert(true.into());
    }
}

fn bad(error: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "E_BAD_REQUEST", error)
}

fn in_body(text: &str) -> Result<Map<String, Value>, Failure> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(bad("the body of the request must be a JSON object")),
        Err(error) => {
            let error = format!("the body of the request is not JSON: {error}");
            Err(Failure::new(StatusCode::BAD_REQUEST, "E_PARSE", &error))
        }
    }
}

/// Numbers are numbers there.
fn in_query(query: &str) -> Map<String, Value> {
    let read = |text: &str| text.parse::<u64>().map_or_else(|_| text.into(), Value::from);
    form_urlencoded::parse(query.as_bytes()).map(|(name, text)| (name.into_owned(), read(&text))).collect()
}

fn known(method: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut known = Map::new();
    for (name, value) in fields {
        let name = camel(&name);
        let alias = ALIASES.iter().find(|(of, alias, _)| *of == method && *alias == name);
        known.insert(alias.map_or(name, |(.., ours)| (*ours).to_owned()), value);
    }
    if let Some(mode) = known.get_mut("mode").filter(|_| method == "conductor.message")
        && let Some((_, ours)) = MODES.iter().find(|(alias, _)| mode == alias)
    {
        *mode = (*ours).into();
    }
    known
}

/// `max_iterations` as `maxIterations`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// `deviceCode` as `device_code`.
pub fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// A body of which one byte comes after each pause.
    fn dripping(pauses: &'static [Duration]) -> Body {
        let pieces = stream::iter(pauses).then(async |pause| {
            sleep(*pause).await;
            Ok::<_, Infallible>("x")
        });
        Body::from_stream(pieces)
    }

    #[tokio::test(start_paused = true)]
    async fn each_piece_of_a_body_has_its_time() {
        const SOON: Duration = Duration::from_secs(PIECE.as_secs() - 1);
        assert_eq!(read(dripping(&[SOON; 5]), 5).await.expect("it came in time"), "xxxxx");
        let begun = Instant::now();
        let late = read(dripping(&[SOON, Duration::MAX]), 5).await.expect_err("the rest did not come");
        assert_eq!((late.status, begun.elapsed().as_secs()), (StatusCode::REQUEST_TIMEOUT, 2 * PIECE.as_secs() - 1));
        let long = read(dripping(&[SOON; 6]), 5).await.expect_err("it is too long");
        assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[track_caller]
    fn check(method: &str, body: Value, expected: Value) {
        let fields = in_body(&body.to_string()).expect("an object");
        assert_eq!(Value::from(known(method, fields)), expected);
    }

    #[test]
    fn names_that_were_in_use_are_understood() {
        let said = json!({"message": "hi", "session": "s", "max_iterations": 3, "fallback_models": [], "mode": "plan"});
        let ours =
            json!({"content": "hi", "sessionName": "s", "maxIterations": 3, "fallbackModels": [], "mode": "propose"});
        check("conductor.message", said, ours);
        check(
            "conductor.message",
            json!({"content": "hi", "mode": "execute"}),
            json!({"content": "hi", "mode": "auto"}),
        );
        check("oauth.codex.devicePoll", json!({"device_code": "x"}), json!({"deviceCode": "x"}));
        // What a skill is given is its own.
        let input = json!({"input": {"max_tokens": 1, "mode": "plan", "message": "x"}});
        check("skills.invoke", input.clone(), input);
        assert_eq!(snake("verificationUriComplete"), "verification_uri_complete");
    }

    #[test]
    fn a_query_has_numbers_and_texts() {
        assert_eq!(Value::from(in_query("limit=5&before=a%20b")), json!({"limit": 5, "before": "a b"}));
    }

    #[test]
    fn whoever_does_not_wait_leaves_the_turn_running() {
        let mut fields = Map::from_iter([("wait".to_owned(), json!("accepted"))]);
        leave_running("conductor.message", &mut fields);
        assert_eq!(fields["detach"], true);
        let mut fields = Map::from_iter([("wait".to_owned(), json!("accepted")), ("detach".to_owned(), json!(false))]);
        leave_running("conductor.approve", &mut fields);
        assert_eq!(fields["detach"], false);
    }
}
