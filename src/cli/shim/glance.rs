//! What a shim looks at in a frame: enough to know who waits for whom, and nothing copied.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::read_params;
use crate::protocol::{ApprovalResolvedParams, ClientSkill, SkillsRegisterParams, SkillsRegisteredResult};
use crate::rpc::Id;

#[derive(Deserialize)]
pub struct Glance<'a> {
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

impl<'a> Glance<'a> {
    /// None for what is no message, which is for the daemon to refuse.
    pub fn at(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

pub fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Introduction {
    process_id: Option<i64>,
}

pub fn process_id(params: &RawValue) -> Option<i64> {
    serde_json::from_str::<Introduction>(params.get()).ok()?.process_id
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    session_name: Cow<'a, str>,
    seq: u64,
}

/// The session of an event, and its number.
pub fn event(params: &RawValue) -> Option<(Cow<'_, str>, u64)> {
    let event: Event<'_> = serde_json::from_str(params.get()).ok()?;
    Some((event.session_name, event.seq))
}

#[derive(Deserialize)]
struct Subscribed {
    seq: u64,
}

pub fn seq(result: &RawValue) -> Option<u64> {
    Some(serde_json::from_str::<Subscribed>(result.get()).ok()?.seq)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    approval_id: String,
    session_name: String,
}

/// What tells a client that its question is settled and nobody has decided.
pub fn approval(params: &RawValue) -> Option<ApprovalResolvedParams> {
    let Approval { approval_id, session_name } = serde_json::from_str(params.get()).ok()?;
    Some(ApprovalResolvedParams { approval_id, session_name, decision: None })
}

/// What is wrong with them is for the daemon to say.
pub fn skills(params: &RawValue) -> Vec<ClientSkill> {
    read_params::<SkillsRegisterParams>(params.get()).map(|params| params.skills).unwrap_or_default()
}

/// The ids of all that the client offers.
pub fn registered(result: &RawValue) -> Vec<String> {
    serde_json::from_str::<SkillsRegisteredResult>(result.get()).map(|result| result.registered).unwrap_or_default()
}

#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

pub fn cancelled(params: &RawValue) -> Option<Id> {
    Id::parse(serde_json::from_str::<Cancelled<'_>>(params.get()).ok()?.id)
}
