//! What happens in a turn, as server-sent events: from its beginning, or from where a client left off.
//!
//! Each event has the kind as its name and the sequence number as its id. The last one is `result`, with the envelope
//! that a request for the whole would have got. Comments keep the line open.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::connection::Shared;
use super::envelope::{self, Failure};
use super::exchange::{Beside, Exchange};
use super::fields;
use crate::protocol::{DEFAULT_SESSION, Method, Notification, names};
use crate::rpc::Message;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

const STREAM_ID: HeaderName = HeaderName::from_static("x-stream-id");

/// A browser that comes back with it has heard everything.
const END: &str = "end";

/// The sessions of turns that were begun as streams, those begun last.
#[derive(Default)]
pub struct Begun(VecDeque<(String, String)>);

impl Begun {
    const KEPT: usize = 1024;

    fn add(&mut self, turn: &str, session: &str) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back((turn.to_owned(), session.to_owned()));
    }

    fn session_of(&self, turn: &str) -> Option<String> {
        self.0.iter().rev().find(|(known, _)| known == turn).map(|(_, session)| session.clone())
    }
}

/// `POST /conductor/stream`. What is refused before the turn begins is answered like any other request. A turn goes on when
/// the line is lost, for it can be joined again, unless the client says otherwise.
pub async fn begin(shared: &Arc<Shared>, request: Request) -> Result<Response, Failure> {
    let mut fields = fields::of(names::ConductorMessage::NAME, request, shared.body_bytes()).await?;
    if fields.get("detach").is_none_or(Value::is_null) {
        fields.insert("detach".to_owned(), true.into());
    }
    fields.insert("stream".to_owned(), true.into());
    fields.insert("wait".to_owned(), "accepted".into());
    let session = fields.get("sessionName").and_then(Value::as_str).unwrap_or(DEFAULT_SESSION).to_owned();
    let mut exchange = Exchange::open(&shared.host);
    let accepted = exchange.ask(names::ConductorMessage::NAME, fields.into(), Beside::Keep).await?;
    let accepted: Value = serde_json::from_str(accepted.get()).unwrap_or_default();
    let turn = accepted["turnId"].as_str().unwrap_or_default().to_owned();
    shared.begun().add(&turn, &session);
    Ok(Telling::new(shared, exchange, session, turn).into_response())
}

/// `GET /conductor/stream/{turnId}`. A turn that this listener did not begin is known while it runs, or with the
/// query `sessionName`.
pub async fn rejoin(shared: &Arc<Shared>, request: Request) -> Result<Response, Failure> {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let fields = fields::of(names::ConductorSubscribe::NAME, request, 0).await?;
    let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let turn = text("turnId").unwrap_or_default();
    // In this order: what is over by now has said so before we subscribe.
    let running = shared.host.session_of(&turn);
    let is_over = running.is_none();
    let session = running.or_else(|| shared.begun().session_of(&turn)).or_else(|| text("sessionName"));
    let Some(session) = session else {
        let failure = Failure::new(StatusCode::NOT_FOUND, "E_NOT_FOUND", "there is no such turn, or it is long over");
        return Err(failure.with_hint("GET /sessions/NAME/messages gives what was said."));
    };
    if is_over && last.as_deref() == Some(END) {
        return Ok(envelope::empty(StatusCode::NO_CONTENT));
    }
    let after = last.as_deref().and_then(|id| id.parse::<u64>().ok());
    let mut telling = Telling::new(shared, Exchange::open(&shared.host), session, turn);
    let seq = telling.subscribe(after.unwrap_or(0)).await?;
    if is_over && after.is_some_and(|after| after >= seq) {
        return Ok(envelope::empty(StatusCode::NO_CONTENT));
    }
    telling.position = after.unwrap_or(0);
    telling.from_the_start = after.is_none();
    telling.bound = is_over.then_some(seq);
    Ok(telling.into_response())
}

struct Telling {
    shared: Arc<Shared>,
    exchange: Exchange,
    session: String,
    turn: String,
    /// Whether the events of the whole session come, and not those of the turn alone.
    subscribed: bool,
    /// Whether the client wants all of the turn, and has nothing of it yet.
    from_the_start: bool,
    /// That something is gone, as long as it is not known whether it was of the turn.
    lost: Option<Event>,
    /// The last sequence number that was heard.
    position: u64,
    /// The turn is over, and its last event is not beyond this.
    bound: Option<u64>,
    /// Why the turn failed.
    error: Option<Value>,
    /// What is told next.
    ready: VecDeque<Event>,
    done: bool,
}

/// What of an event is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    turn_id: String,
    seq: u64,
    #[serde(borrow)]
    event: Kind<'a>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    kind: String,
    iteration: Option<u32>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl Telling {
    fn new(shared: &Arc<Shared>, exchange: Exchange, session: String, turn: String) -> Self {
        let greeting = json!({"streamId": turn, "turnId": turn, "sessionName": session});
        Self {
            shared: Arc::clone(shared),
            exchange,
            session,
            turn,
            subscribed: false,
            from_the_start: false,
            lost: None,
            position: 0,
            bound: None,
            error: None,
            ready: VecDeque::from([Event::default().event("ready").data(greeting.to_string())]),
            done: false,
        }
    }

    fn into_response(self) -> Response {
        let id = HeaderValue::try_from(self.turn.clone());
        let events = stream::unfold(self, |mut telling| async move {
            let event = telling.next().await?;
            Some((Ok::<_, Infallible>(event), telling))
        });
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
        let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
        response.headers_mut().extend(id.ok().map(|id| (STREAM_ID, id)));
        response
    }

    /// Gives the number of the session's last event.
    async fn subscribe(&mut self, after: u64) -> Result<u64, Failure> {
        let params = json!({"sessionName": self.session, "afterSeq": after});
        let subscribed = self.exchange.ask(names::ConductorSubscribe::NAME, params, Beside::Keep).await?;
        self.subscribed = true;
        let subscribed: Value = serde_json::from_str(subscribed.get()).unwrap_or_default();
        Ok(subscribed["seq"].as_u64().unwrap_or_default())
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.done {
                return None;
            }
            if self.bound.is_some_and(|bound| self.position >= bound) {
                let failure =
                    Failure::new(StatusCode::GONE, "E_NOT_FOUND", "the turn is over, and its end is no longer kept");
                self.end(failure.with_hint("GET /sessions/NAME/messages gives what was said.").into_value());
                continue;
            }
            match self.exchange.next().await {
                Some(Message::Notification { method, params: Some(params) })
                    if method == names::ConductorEvent::NAME =>
                {
                    self.hear(&params).await;
                }
                Some(_) => {}
                None => self.end(Failure::gone().into_value()),
            }
        }
    }

    async fn hear(&mut self, params: &RawValue) {
        let Ok(Head { turn_id, seq, event }) = serde_json::from_str::<Head<'_>>(params.get()) else { return };
        self.position = seq;
        let told = Event::default().event(&event.kind).id(seq.to_string()).data(params.get());
        if event.kind == "resync" {
            return self.lost(seq, told).await;
        }
        if turn_id != self.turn {
            return;
        }
        let lost = self.lost.take().filter(|_| event.iteration != Some(1));
        self.from_the_start = false;
        self.ready.extend(lost.into_iter().chain([told]));
        if let Some(error) = event.error.filter(|_| event.kind == "error") {
            self.error = serde_json::from_str(error.get()).ok();
        }
        if event.kind == "loop-done" {
            let result = event.result.and_then(|result| serde_json::from_str::<Value>(result.get()).ok());
            let whole = match (result, self.error.take()) {
                (Some(result), _) => json!({"ok": true, "data": result}),
                (None, Some(error)) => Failure::of_turn(&error).into_value(),
                (None, None) => Failure::of_turn(&Value::Null).into_value(),
            };
            self.end(whole);
        }
    }

    /// Events up to this one are no longer there, the end of the turn perhaps among them.
    async fn lost(&mut self, seq: u64, told: Event) {
        match self.from_the_start {
            true => self.lost = Some(told),
            false => self.ready.push_back(told),
        }
        // Only who hears of the whole session can tell from its numbers that nothing more will come.
        if !self.subscribed && self.subscribe(seq).await.is_err() {
            return self.end(Failure::gone().into_value());
        }
        if self.bound.is_none() && self.shared.host.session_of(&self.turn).is_none() {
            self.bound = Some(self.shared.host.last_seq(&self.session));
        }
    }

    fn end(&mut self, whole: Value) {
        self.ready.extend(self.lost.take());
        self.ready.push_back(Event::default().event("result").id(END).data(whole.to_string()));
        self.done = true;
    }
}
