//! An app-server behind HTTP: each request is a `POST` of its own, and it says nothing by itself.
//!
//! Such shims are written by hand, so their answers are taken in any shape: a response as JSON-RPC has it, one without
//! an id, an error that is a mere text, or the result alone.

use std::collections::HashMap;
use std::task::{Context, Poll, ready};

use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream};
use jsonrpsee::types::ErrorObjectOwned;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::socket::{MAX_MESSAGE, MAX_WORDS, spell};
use super::{Fault, FaultKind};
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::providers::http::{Http, HttpRequest, Response};
use crate::rpc::INTERNAL_ERROR;

#[derive(Clone)]
pub(super) struct Place {
    pub url: Url,
    pub token: Option<Secret>,
    pub http: Http,
}

pub(super) struct Shim {
    place: Place,
    posts: FuturesUnordered<Post>,
    /// Dropped posts end at once.
    handles: HashMap<u64, AbortHandle>,
}

type Post = BoxFuture<'static, (u64, Result<Answer, Aborted>)>;

pub(super) type Answer = Result<Box<RawValue>, Trouble>;

pub(super) enum Trouble {
    /// The app-server's own answer.
    Rpc(ErrorObjectOwned),
    /// This request was not answered as it should be; others may fare better.
    Request(Fault),
    /// None would.
    Link(Fault),
}

impl Shim {
    pub(super) fn new(place: Place) -> Self {
        Self { place, posts: FuturesUnordered::new(), handles: HashMap::new() }
    }

    pub(super) fn send(&mut self, number: u64, frame: String) {
        let (handle, registration) = AbortHandle::new_pair();
        let post = Abortable::new(post(self.place.clone(), frame), registration);
        self.handles.insert(number, handle);
        self.posts.push(post.map(move |answer| (number, answer)).boxed());
    }

    /// Nobody waits for the answer any more.
    pub(super) fn forget(&mut self, number: u64) {
        if let Some(handle) = self.handles.remove(&number) {
            handle.abort();
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(u64, Answer)> {
        loop {
            let Some((number, answer)) = ready!(std::pin::Pin::new(&mut self.posts).poll_next(cx)) else {
                return Poll::Pending;
            };
            self.handles.remove(&number);
            if let Ok(answer) = answer {
                return Poll::Ready((number, answer));
            }
        }
    }
}

async fn post(place: Place, frame: String) -> Answer {
    let Place { url, token, http } = place;
    let mut request = HttpRequest::post_json(url, frame);
    if let Some(token) = &token {
        let with_token = request.secret(AUTHORIZATION, "Bearer ", token);
        request = with_token.map_err(|error| Trouble::Link(fault(error, FaultKind::WrongToken)))?;
    }
    let response = http.send(request).await.map_err(|error| match error.kind {
        ErrorKind::HostNotAllowed => Trouble::Link(fault(error, FaultKind::HostNotAllowed)),
        ErrorKind::Network => Trouble::Link(fault(error, FaultKind::NothingListening)),
        ErrorKind::Timeout => Trouble::Request(fault(error, FaultKind::TimedOut)),
        _ => Trouble::Request(fault(error, FaultKind::Broken)),
    })?;
    read(response).await
}

async fn read(response: Response) -> Answer {
    let (status, is_success) = (response.status, response.is_success());
    if matches!(status, 401 | 403) {
        let words = String::from_utf8_lossy(&response.prefix(MAX_WORDS).await).trim().to_owned();
        let message = format!("the Codex app-server refuses the token{}", spell(&words));
        let fault = Fault::new(FaultKind::WrongToken, message)
            .with_hint("set CODEX_APP_SERVER_TOKEN to the token that it was started with");
        return Err(Trouble::Link(fault));
    }
    let body = response.bytes(MAX_MESSAGE).await;
    let body = body.map_err(|error| Trouble::Request(fault(error, FaultKind::Broken)))?;
    match serde_json::from_slice::<&RawValue>(&body) {
        Ok(answer) if is_success || is_response(answer) => outcome(answer),
        Ok(_) => Err(strange(status, &body)),
        Err(_) if is_success => {
            let message = "what listens there answered with what is not JSON";
            Err(Trouble::Request(Fault::new(FaultKind::Protocol, message)))
        }
        Err(_) => Err(strange(status, &body)),
    }
}

fn strange(status: u16, body: &[u8]) -> Trouble {
    let text = String::from_utf8_lossy(body);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS).collect();
    let kind = if status < 500 { FaultKind::Protocol } else { FaultKind::Broken };
    let fault = Fault::new(kind, format!("what listens there answered {status} to a POST{}", spell(&words)));
    Trouble::Request(fault.with_hint("is CODEX_APP_SERVER_URL that of a Codex app-server?"))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Plain {
    message: String,
}

fn envelope(answer: &RawValue) -> Option<Envelope<'_>> {
    // A list would be taken for its members.
    let is_object = answer.get().starts_with('{');
    is_object.then(|| serde_json::from_str(answer.get()).ok()).flatten()
}

fn is_response(answer: &RawValue) -> bool {
    envelope(answer).is_some_and(|it| it.result.is_some() || it.error.is_some())
}

fn outcome(answer: &RawValue) -> Answer {
    match envelope(answer) {
        Some(Envelope { error: Some(error), .. }) => Err(Trouble::Rpc(refusal(error))),
        Some(Envelope { result: Some(result), .. }) => Ok(result.to_owned()),
        _ => Ok(answer.to_owned()),
    }
}

fn refusal(error: &RawValue) -> ErrorObjectOwned {
    let text = error.get();
    serde_json::from_str(text).unwrap_or_else(|_| {
        let plain = serde_json::from_str::<Plain>(text).map(|plain| plain.message);
        let message = plain.or_else(|_| serde_json::from_str::<String>(text)).unwrap_or_else(|_| text.to_owned());
        ErrorObjectOwned::owned(INTERNAL_ERROR, message, None::<()>)
    })
}

fn fault(error: ProviderError, kind: FaultKind) -> Fault {
    Fault { kind, message: error.message, hint: error.hint }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{Trouble, outcome};

    fn check(answer: &str, expected: &str) {
        let answer = RawValue::from_string(answer.to_owned()).unwrap();
        let shown = match outcome(&answer) {
            Ok(result) => result.get().to_owned(),
            Err(Trouble::Rpc(error)) => format!("{}: {}", error.code(), error.message()),
            Err(Trouble::Request(fault) | Trouble::Link(fault)) => fault.message,
        };
        assert_eq!(shown, expected, "{answer}");
    }

    #[test]
    fn answers_of_every_shape_are_understood() {
        check(r#"{"jsonrpc":"2.0","id":"s1","result":{"a": 1}}"#, r#"{"a": 1}"#);
        check(r#"{"id":7,"result":[1]}"#, "[1]");
        check(r#"{"result":{"thread_id":"t"}}"#, r#"{"thread_id":"t"}"#);
        check(r#"{"thread_id":"t","output":[]}"#, r#"{"thread_id":"t","output":[]}"#);
        check(r#"{"result":1,"error":null}"#, "1");
        check(r#"{"error":{"code":-32600,"message":"no"},"id":1}"#, "-32600: no");
        check(r#"{"error":{"message":"no","type":"x"}}"#, "-32603: no");
        check(r#"{"error":"no"}"#, "-32603: no");
        check("[1,2]", "[1,2]");
    }
}
