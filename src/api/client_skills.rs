//! `skills.register` and `skills.unregister`: what clients can do, offered like the daemon's own skills for as long as
//! they are there. A call goes to the client as the request `skills.call`.

use std::collections::HashSet;
use std::sync::Arc;

use super::connection::{Client, Via};
use super::error::ApiError;
use super::offered::Offered;
use super::params::shown;
use super::table::Context;
use super::{Connection, convert};
use crate::protocol::{ClientSkill, Code, SkillsRegisterParams, SkillsRegisteredResult, SkillsUnregisterParams};
use crate::skills::{MAX_OFFERED, OfferFault, Skill};

pub async fn register(context: Context, params: SkillsRegisterParams) -> Result<SkillsRegisteredResult, ApiError> {
    let plugin = may_register(&context.connection)?;
    if params.skills.len() > MAX_OFFERED {
        return Err(too_many());
    }
    let mut ids = HashSet::new();
    let mut skills = Vec::with_capacity(params.skills.len());
    for (at, skill) in params.skills.into_iter().enumerate() {
        let skill = made(at, skill, &plugin, &context.connection)?;
        if !ids.insert(skill.spec().id.clone()) {
            return Err(taken(at, "an earlier one of this request"));
        }
        skills.push(skill);
    }
    let by = context.call.peer.number();
    context.app.conductor.offer(by, skills).map_err(|fault| match fault {
        OfferFault::Taken { at, plugin } => taken(at, &format!("a skill of '{plugin}'")),
        OfferFault::TooMany => too_many(),
        OfferFault::Full => {
            ApiError::new(Code::Overloaded, "clients offer as many skills already as there is room for")
        }
    })?;
    Ok(registered(&context))
}

pub async fn unregister(context: Context, params: SkillsUnregisterParams) -> Result<SkillsRegisteredResult, ApiError> {
    context.app.conductor.withdraw(context.call.peer.number(), &params.skills);
    Ok(registered(&context))
}

fn registered(context: &Context) -> SkillsRegisteredResult {
    SkillsRegisteredResult { registered: context.app.conductor.offered(context.call.peer.number()) }
}

/// The plugin that its skills are listed under.
fn may_register(connection: &Connection) -> Result<String, ApiError> {
    let refuse = |message: &str, hint: &str| Err(ApiError::new(Code::BadRequest, message).with_hint(hint));
    if connection.via == Via::Http {
        let hint = "Open /rpc as a WebSocket, or connect over standard input and output or the socket.";
        return refuse("over a single request of HTTP nobody can be asked to run a skill", hint);
    }
    let client = connection.client();
    if !client.capabilities.skills {
        let hint = "Send 'initialize' with {\"capabilities\": {\"skills\": true}}, and answer 'skills.call'.";
        return refuse("this client has not said that it answers 'skills.call'", hint);
    }
    if !client.ready {
        return refuse("skills are registered after 'initialized'", "Send the notification 'initialized' first.");
    }
    Ok(plugin(&client))
}

fn plugin(client: &Client) -> String {
    let name = client.info.as_ref().map_or("", |info| info.name.as_str());
    let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    match name.trim() {
        "" => "client".to_owned(),
        name => format!("client:{}", shown(name)),
    }
}

fn made(at: usize, skill: ClientSkill, plugin: &str, connection: &Arc<Connection>) -> Result<Skill, ApiError> {
    let (spec, timeout) = convert::client_skill(at, skill, plugin)?;
    let handler = Offered::new(&spec, timeout, connection);
    let skill = Skill::new(spec, handler);
    match skill.schema_fault() {
        None => Ok(skill),
        Some(fault) => {
            let message = format!("parameter 'skills[{at}].inputSchema' is no good JSON Schema: {fault}");
            Err(ApiError::new(Code::BadRequest, message))
        }
    }
}

fn taken(at: usize, by: &str) -> ApiError {
    let message = format!("parameter 'skills[{at}].id' is the id of {by}");
    ApiError::new(Code::BadRequest, message).with_hint("Choose another id; skills.list has those that are taken.")
}

fn too_many() -> ApiError {
    let message = format!("a client may offer {MAX_OFFERED} skills at most");
    ApiError::new(Code::BadRequest, message).with_hint("Take some back with skills.unregister.")
}
