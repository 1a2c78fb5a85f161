//! Skills of clients: what a client offers, the call, and what it answers.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::Redact;
use super::super::error::ApiError;
use super::super::params::shown;
use super::millis;
use crate::config::{MAX_SKILL_TIMEOUT_MS, SKILL_ID, is_skill_id};
use crate::model::ClientPlace;
use crate::protocol::{self as wire, Code};
use crate::rpc::PeerError;
use crate::skills::{SkillError, SkillSpec, unbounded};

const MAX_DESCRIPTION: usize = 1000;
/// Models read it with every call.
const MAX_SCHEMA_BYTES: usize = 32 * 1024;
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// The skill at this place, of this plugin, and how long it may take.
pub fn client_skill(at: usize, skill: wire::ClientSkill, plugin: &str) -> Result<(SkillSpec, Duration), ApiError> {
    let fault = |member: &str, what: String| {
        Err(ApiError::new(Code::BadRequest, format!("parameter 'skills[{at}].{member}' {what}")))
    };
    let wire::ClientSkill { id, description, input_schema, dangerous, timeout_ms } = skill;
    if !is_skill_id(&id) {
        return fault("id", SKILL_ID.to_owned());
    }
    // Models and people read it in a list.
    let description: String =
        description.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    if description.is_empty() || description.chars().count() > MAX_DESCRIPTION {
        return fault("description", format!("must say in 1 to {MAX_DESCRIPTION} letters what the skill does"));
    }
    let input_schema = input_schema.unwrap_or_else(|| json!({ "type": "object" }));
    if input_schema.get("type").is_none_or(|kind| kind != "object") {
        return fault("inputSchema", "must be a JSON Schema of \"type\": \"object\"".to_owned());
    }
    if input_schema.to_string().len() > MAX_SCHEMA_BYTES {
        return fault("inputSchema", format!("must have at most {MAX_SCHEMA_BYTES} bytes"));
    }
    if let Some(why) = unbounded(&input_schema) {
        return fault("inputSchema", format!("would take too long to check: {why}"));
    }
    let timeout_ms = timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
    if !(1..=MAX_SKILL_TIMEOUT_MS).contains(&timeout_ms) {
        return fault("timeoutMs", format!("must be from 1 to {MAX_SKILL_TIMEOUT_MS}"));
    }
    let (plugin, tags) = (plugin.to_owned(), vec!["client".to_owned()]);
    let spec = SkillSpec { id, description, plugin, tags, input_schema, dangerous: dangerous.unwrap_or(true) };
    Ok((spec, Duration::from_millis(timeout_ms)))
}

pub fn skill_call(skill: &str, input: Value, place: &ClientPlace, deadline: Duration) -> wire::SkillCallParams {
    let turn = place.turn.as_ref();
    wire::SkillCallParams {
        skill: skill.to_owned(),
        input,
        session_name: turn.map(|turn| turn.session.clone()),
        turn_id: turn.map(|turn| turn.id.clone()),
        deadline_ms: millis(deadline),
    }
}

/// What is wrong with the answer is the skill's failure.
pub fn skill_output(
    skill: &str,
    answer: Result<Box<RawValue>, PeerError>,
    deadline: Duration,
    redact: &Redact,
) -> Result<Value, SkillError> {
    const LONGEST: usize = 2000;
    let failed = |message: String| Err(SkillError::new(message));
    let answer = match answer {
        Ok(answer) => answer,
        Err(PeerError::Gone) => return Err(skill_gone(skill)),
        Err(PeerError::TimedOut) => {
            let hint = "It says with its `timeoutMs` how long it may take.";
            let message = format!("the client that offers {skill} did not answer within {deadline:?}");
            return Err(SkillError::new(message).with_hint(hint));
        }
        Err(PeerError::Refused(error)) if error.message().trim().is_empty() => {
            return failed(format!("{skill} failed with error {}", error.code()));
        }
        Err(PeerError::Refused(error)) => {
            let mut message = redacted(error.message().to_owned(), redact);
            if let Some((end, _)) = message.char_indices().nth(LONGEST) {
                message.truncate(end);
                message.push('…');
            }
            return failed(message);
        }
    };
    if answer.get().len() > MAX_OUTPUT_BYTES {
        return failed(format!("the client that offers {skill} answered with more than {MAX_OUTPUT_BYTES} bytes"));
    }
    match serde_json::from_str::<wire::SkillCallResult>(answer.get()) {
        Ok(wire::SkillCallResult { mut output }) => {
            redact(&mut output);
            Ok(output)
        }
        Err(_) => failed(format!(
            "the client that offers {skill} must answer with an object that has 'output', and answered {}",
            shown(&redacted(answer.get().to_owned(), redact))
        )),
    }
}

fn redacted(text: String, redact: &Redact) -> String {
    let mut text = Value::String(text);
    redact(&mut text);
    text.as_str().unwrap_or_default().to_owned()
}

pub fn skill_gone(skill: &str) -> SkillError {
    SkillError::new(format!("the client that offers {skill} is gone, or has taken it back"))
}
