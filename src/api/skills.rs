//! `skills.*`.

use serde_json::{Value, json};

use super::convert;
use super::error::ApiError;
use super::params::{nearest, shown};
use super::table::Context;
use crate::protocol::{Code, Empty, SkillInvokeParams, SkillInvokeResult, SkillsListResult};
use crate::skills::Permit;

pub async fn list(context: Context, _: Empty) -> Result<SkillsListResult, ApiError> {
    let skills = context.app.conductor.skills_for(context.call.peer.number());
    Ok(SkillsListResult { skills: skills.specs().map(|spec| convert::skill(spec)).collect() })
}

pub async fn invoke(context: Context, params: SkillInvokeParams) -> Result<SkillInvokeResult, ApiError> {
    let registry = context.app.conductor.skills_for(context.call.peer.number());
    let Some(skill) = registry.get(&params.skill) else {
        let ids = registry.ids();
        let near = nearest(&params.skill, ids.iter().map(String::as_str));
        let error = ApiError::new(Code::SkillUnavailable, format!("skill '{}' is not available", shown(&params.skill)));
        return Err(error.did_you_mean(near).with_skills(ids));
    };
    let confirmed = params.confirm || !context.app.setup().confirm_dangerous;
    if Permit::for_client(skill.spec(), confirmed) == Permit::Hold {
        let message = format!("skill '{}' is dangerous and runs only when it is confirmed", params.skill);
        return Err(ApiError::new(Code::ApprovalRequired, message).with_hint("Send it again with \"confirm\": true."));
    }
    let input = params.input.filter(|input| !input.is_null()).unwrap_or_else(|| json!({}));
    check(skill, &input)?;
    let data =
        skill.run(input, &context.place()).await.map_err(|error| ApiError::skill(&skill.spec().plugin, error))?;
    Ok(SkillInvokeResult { ok: true, data })
}

fn check(skill: &crate::skills::Skill, input: &Value) -> Result<(), ApiError> {
    skill.check(input).map_err(|fault| ApiError::new(Code::BadRequest, fault.to_string()))
}
