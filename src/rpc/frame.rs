//! One text frame taken apart, and put together. Ids are kept as the exact token that came.

use std::borrow::Cow;
use std::fmt;

use jsonrpsee::types::ErrorObjectOwned;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reason;

/// A number or a string, as JSON text. Numbers are not read: 2^53+1 goes back as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

#[derive(Debug)]
pub enum Message {
    Request {
        id: Id,
        method: String,
        params: Option<Box<RawValue>>,
    },
    Notification {
        method: String,
        params: Option<Box<RawValue>>,
    },
    Response {
        id: Id,
        outcome: Result<Box<RawValue>, ErrorObjectOwned>,
    },
    /// An answer to nothing: it is never answered in turn, lest two polite peers loop.
    StrayError,
}

/// What is wrong with a frame, and the id to answer it under, if it had a usable one.
#[derive(Debug, PartialEq)]
pub struct BadFrame {
    pub id: Option<Id>,
    pub reason: Reason,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

impl Wire<'_> {
    /// Or a notification.
    fn is_request(&self) -> bool {
        self.method.is_some_and(|method| method.get() != "null")
    }
}

/// Tells `null` from absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

pub fn parse(text: &str, max_depth: usize) -> Result<Message, BadFrame> {
    let bad = |id: Option<Id>, reason| BadFrame { id, reason };
    if deeper_than(text, max_depth) {
        // What is deep is passed over here, so that a request is refused under its own id.
        let wire = serde_json::from_str::<Wire>(text).ok();
        let (id, is_request) = wire.map_or((None, false), |wire| (wire.id.and_then(Id::from_token), wire.is_request()));
        return match id {
            // Whoever asked need not wait any longer.
            Some(id) if !is_request && id.our_number().is_some() => {
                let error =
                    ErrorObjectOwned::owned(super::INTERNAL_ERROR, "the answer is nested too deeply", None::<()>);
                Ok(Message::Response { id, outcome: Err(error) })
            }
            id => Err(bad(id.filter(|_| is_request), Reason::TooDeep { limit: max_depth })),
        };
    }
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') if serde_json::from_str::<&RawValue>(text).is_ok() => {
            return Err(bad(
                None,
                Reason::InvalidRequest("batches are not supported: send one request a frame".into()),
            ));
        }
        _ => {
            return Err(match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => bad(None, Reason::InvalidRequest("a request is a JSON object".into())),
                Err(error) => bad(None, Reason::NotJson(error.to_string())),
            });
        }
    }
    let wire: Wire = serde_json::from_str(text).map_err(|error| {
        let duplicate = error.classify() == serde_json::error::Category::Data;
        let reason = if duplicate { Reason::InvalidRequest } else { Reason::NotJson };
        bad(id_alone(text), reason(error.to_string()))
    })?;
    classify(&wire)
}

/// The id of a frame whose other members are not as they should be.
fn id_alone(text: &str) -> Option<Id> {
    #[derive(Deserialize)]
    struct Alone<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    Id::from_token(serde_json::from_str::<Alone>(text).ok()?.id)
}

fn classify(wire: &Wire<'_>) -> Result<Message, BadFrame> {
    let null_id = wire.id.is_some_and(|id| id.get() == "null");
    let id = wire.id.and_then(Id::from_token);
    let invalid = |why: &str| BadFrame { id: id.clone(), reason: Reason::InvalidRequest(why.to_owned()) };
    // A client whose handler gave nothing may answer with the id of our request alone.
    let says_nothing = id.as_ref().is_some_and(|id| id.our_number().is_some());
    let is_answer = !wire.is_request() && (wire.result.is_some() || wire.error.is_some() || says_nothing);
    if is_answer && id.is_none() {
        return Ok(Message::StrayError);
    }
    if wire.jsonrpc.is_some_and(|version| version.get() != "\"2.0\"") && !is_answer {
        return Err(invalid("'jsonrpc' must be \"2.0\" or left out"));
    }
    if let (true, Some(id)) = (is_answer, &id) {
        return Ok(Message::Response { id: id.clone(), outcome: outcome(wire) });
    }
    let method = wire.method.filter(|_| wire.is_request()).ok_or_else(|| invalid("'method' is missing"))?;
    let method = serde_json::from_str::<Cow<'_, str>>(method.get())
        .map_err(|_| invalid("'method' must be a string"))?
        .into_owned();
    if null_id {
        return Err(invalid("'id' must not be null: use a number or a string, or leave it out"));
    }
    if wire.id.is_some() && id.is_none() {
        return Err(invalid("'id' must be a number or a string"));
    }
    let params = match params(wire.params) {
        Ok(params) => params,
        Err(why) => return Err(BadFrame { id, reason: Reason::BadParams(why) }),
    };
    Ok(match id {
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    })
}

/// An object, or what stands for one: an array of one object, `[]`, `null` or nothing.
pub fn params(params: Option<&RawValue>) -> Result<Option<Box<RawValue>>, String> {
    let Some(params) = params else { return Ok(None) };
    match params.get().as_bytes().first() {
        Some(b'{') => Ok(Some(params.to_owned())),
        Some(b'n') => Ok(None),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(params.get()).map_err(|error| error.to_string())?;
            match items.as_slice() {
                [] => Ok(None),
                [item] if item.get().starts_with('{') => Ok(Some((*item).to_owned())),
                [item] if item.get() == "null" => Ok(None),
                _ => Err("'params' must be an object, or an array that holds one object".into()),
            }
        }
        _ => Err("'params' must be an object".into()),
    }
}

fn outcome(wire: &Wire<'_>) -> Result<Box<RawValue>, ErrorObjectOwned> {
    let error = wire.error.filter(|error| error.get() != "null");
    match (error, wire.result) {
        (Some(error), _) => Err(serde_json::from_str(error.get())
            .unwrap_or_else(|_| ErrorObjectOwned::owned(super::INTERNAL_ERROR, error.get(), None::<()>))),
        (None, Some(result)) => Ok(result.to_owned()),
        (None, None) => Ok(RawValue::NULL.to_owned()),
    }
}

/// Nesting outside strings. The parser for raw values does not count it.
fn deeper_than(text: &str, limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_string(after),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What follows the string that has begun; nothing if it never ends. Most of a long frame is strings.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let escaped = rest[at] == b'\\';
        rest = rest.get(at + 1 + usize::from(escaped)..).unwrap_or_default();
        if !escaped {
            return rest;
        }
    }
    &[]
}

impl Id {
    fn from_token(token: &RawValue) -> Option<Self> {
        let token = token.get();
        matches!(token.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9')).then(|| Self(token.into()))
    }

    /// An id that we give out.
    pub fn ours(number: u64) -> Self {
        Self(format!("\"s{number}\"").into())
    }

    pub fn named(name: &str) -> Self {
        Self(serde_json::Value::from(name).to_string().into())
    }

    /// The number of an id of ours that came back.
    pub fn our_number(&self) -> Option<u64> {
        self.0.strip_prefix("\"s")?.strip_suffix('"')?.parse().ok()
    }

    /// The id as JSON text, from a client's own mention of it.
    pub fn parse(token: &RawValue) -> Option<Self> {
        Self::from_token(token)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A missing id becomes null, which only an error may have.
pub fn answer(id: Option<&Id>, outcome: Result<&RawValue, &ErrorObjectOwned>) -> String {
    let id = id.map_or("null", |id| &id.0);
    match outcome {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(error) => {
            let error = serde_json::to_string(error).expect("an error object is made of JSON values");
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}

/// `params` is the text of a JSON object.
pub fn request(id: &Id, method: &str, params: &str) -> String {
    let method = quoted(method);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#)
}

pub fn notification(method: &str, params: &str) -> String {
    let method = quoted(method);
    format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#)
}

/// A method's name may be a client's own.
fn quoted(method: &str) -> String {
    serde_json::to_string(method).expect("a string is JSON")
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
