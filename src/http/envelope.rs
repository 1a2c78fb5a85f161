//! The shape of answers: `{ok: true, data}`, or `{ok: false, error, code, requestId}` with what else is known beside it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::guard::Refusal;
use crate::protocol::{Code, ErrorData};
use crate::rpc::RpcError;

pub const REQUEST_ID: &str = "x-request-id";

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Why a request got no further than this folder, or failed behind it.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// `ok`, `error`, `code`, `requestId` and the rest.
    members: Map<String, Value>,
    retry_after_ms: Option<u64>,
}

impl Failure {
    pub fn new(status: StatusCode, code: &str, error: &str) -> Self {
        let request = format!("req_{}", Uuid::new_v4().simple());
        let members = json!({"ok": false, "error": error, "code": code, "requestId": request});
        let Value::Object(members) = members else { unreachable!("it is written as an object") };
        Self { status, members, retry_after_ms: None }
    }

    pub fn with_hint(mut self, hint: &str) -> Self {
        self.members.insert("hint".to_owned(), hint.into());
        self
    }

    pub fn gone() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "E_SHUTTING_DOWN", "the daemon is stopping")
    }

    /// What a method answered.
    pub fn of(error: &RpcError) -> Self {
        let data = error.data().map(RawValue::get).unwrap_or_default();
        let known: Option<ErrorData> = serde_json::from_str(data).ok();
        let status = known.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, |data| status(data.code));
        let mut failure = Self::new(status, "E_INTERNAL", error.message());
        failure.retry_after_ms = known.and_then(|data| data.retry_after_ms);
        failure.take(serde_json::from_str(data).unwrap_or_default());
        failure
    }

    /// The error of a turn, as its event tells it.
    pub fn of_turn(error: &Value) -> Self {
        let message = error["message"].as_str().unwrap_or("the turn failed");
        let mut failure = Self::new(StatusCode::BAD_GATEWAY, "E_INTERNAL", message);
        failure.take(error["data"].as_object().cloned().unwrap_or_default());
        failure
    }

    /// The sentence stays what it is.
    fn take(&mut self, data: Map<String, Value>) {
        self.members.extend(data.into_iter().filter(|(name, _)| name != "message"));
    }

    pub fn into_value(self) -> Value {
        self.members.into()
    }

    pub fn into_response(self) -> Response {
        let request = self.members.get("requestId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut response = text(self.status, JSON, pretty(&self.members.into()));
        if let Ok(request) = HeaderValue::try_from(request) {
            response.headers_mut().insert(REQUEST_ID, request);
        }
        if let Some(millis) = self.retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        }
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let hint =
            "Send the header Authorization: Bearer TOKEN, with what is in the file that open-think status names.";
        let unauthorized = |error| Self::new(StatusCode::UNAUTHORIZED, "E_UNAUTHORIZED", error).with_hint(hint);
        let forbidden = |error| Self::new(StatusCode::FORBIDDEN, "E_FORBIDDEN", error);
        match refusal {
            Refusal::Host => forbidden("the request names a host that this is not").with_hint(
                "Call it by the address at which it listens, or list the name in allowed_hosts under [daemon].",
            ),
            Refusal::Origin => forbidden("the request comes from a web page that is not listed")
                .with_hint("List the page's origin in allowed_origins under [daemon] if it may ask."),
            Refusal::TokenInUrl => unauthorized("a token does not belong in a URL, where others may read it"),
            Refusal::NoToken => unauthorized("the request has no bearer token"),
            Refusal::WrongToken => unauthorized("the bearer token is not the right one"),
        }
    }
}

/// The status by which the documented routes tell it.
fn status(code: Code) -> StatusCode {
    match code {
        Code::Parse
        | Code::InvalidRequest
        | Code::BadRequest
        | Code::NoProvider
        | Code::SkillUnavailable
        | Code::SkillFailed => StatusCode::BAD_REQUEST,
        Code::HostNotAllowed | Code::ApprovalRequired => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::SessionBusy | Code::Cancelled => StatusCode::CONFLICT,
        Code::SpendCap => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal | Code::Store => StatusCode::INTERNAL_SERVER_ERROR,
        // The client's own token was right: it is the one behind us that says no.
        Code::Auth | Code::ProviderFailed | Code::FallbacksExhausted | Code::CodexRpc | Code::CodexLink => {
            StatusCode::BAD_GATEWAY
        }
        Code::Overloaded | Code::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub fn data(data: Value) -> Response {
    text(StatusCode::OK, JSON, pretty(&json!({"ok": true, "data": data})))
}

/// A document as it is.
pub fn document(body: String) -> Response {
    text(StatusCode::OK, JSON, body)
}

pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub fn text(status: StatusCode, kind: HeaderValue, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// People read it with `curl`.
pub fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use jsonrpsee::types::ErrorObjectOwned;

    use super::*;

    #[test]
    fn what_a_method_says_stands_in_the_envelope() {
        let data = json!({"code": "E_PROVIDER_FAILED", "message": "it is down", "retryable": true, "retryAfterMs": 1500,
            "requestId": "req_1", "hint": "wait"});
        let failure = Failure::of(&ErrorObjectOwned::owned(-32011, "it is down", Some(data)));
        let response = failure.into_response();
        assert_eq!((response.status(), &response.headers()[header::RETRY_AFTER]), (StatusCode::BAD_GATEWAY, &2.into()));
        assert_eq!(response.headers()[REQUEST_ID], "req_1");
        let failure = Failure::of(&ErrorObjectOwned::owned(-32603, "what now", None::<()>));
        assert_eq!(failure.status, StatusCode::INTERNAL_SERVER_ERROR);
        let value = failure.into_value();
        assert_eq!((&value["ok"], &value["error"]), (&json!(false), &json!("what now")));
        assert!(value["code"] == "E_INTERNAL" && value["requestId"].is_string(), "{value}");
    }
}
