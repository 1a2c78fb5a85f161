//! `sessions.*`.

use super::convert;
use super::error::ApiError;
use super::table::Context;
use crate::protocol::{
    Code, Empty, SessionDeleteResult, SessionDetail, SessionMessagesParams, SessionMessagesResult, SessionParams,
    SessionsListResult,
};

const DEFAULT_MESSAGES: u32 = 100;
const MAX_MESSAGES: u32 = 1000;

pub async fn list(context: Context, _: Empty) -> Result<SessionsListResult, ApiError> {
    let conductor = &context.app.conductor;
    let rows = conductor.store().sessions().await?;
    let sessions = rows.into_iter().map(|row| {
        let running = conductor.running(&row.name).is_some();
        convert::session(row, running)
    });
    Ok(SessionsListResult { sessions: sessions.collect() })
}

pub async fn get(context: Context, params: SessionParams) -> Result<SessionDetail, ApiError> {
    let conductor = &context.app.conductor;
    let row = conductor.store().session(&params.session_name).await?;
    let row = row.ok_or_else(|| unknown(&params.session_name))?;
    let held = conductor.store().held(&params.session_name).await?;
    Ok(SessionDetail {
        seq: conductor.log(&params.session_name).last_seq(),
        summary: convert::session(row, conductor.running(&params.session_name).is_some()),
        held_actions: held.into_iter().map(convert::action_row).collect(),
    })
}

pub async fn messages(context: Context, params: SessionMessagesParams) -> Result<SessionMessagesResult, ApiError> {
    let limit = params.limit.unwrap_or(DEFAULT_MESSAGES);
    if !(1..=MAX_MESSAGES).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("parameter 'limit' must be from 1 to {MAX_MESSAGES}")));
    }
    let before = match params.before.as_deref().map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(ApiError::new(Code::BadRequest, "parameter 'before' must be the id of a message")),
    };
    let store = context.app.conductor.store();
    if store.session(&params.session_name).await?.is_none() {
        return Err(unknown(&params.session_name));
    }
    let rows = store.messages(&params.session_name, Some(limit), before).await?;
    Ok(SessionMessagesResult { messages: rows.into_iter().map(convert::session_message).collect() })
}

pub async fn delete(context: Context, params: SessionParams) -> Result<SessionDeleteResult, ApiError> {
    Ok(SessionDeleteResult { deleted: context.app.conductor.delete(&params.session_name).await? })
}

fn unknown(name: &str) -> ApiError {
    ApiError::new(Code::BadRequest, format!("there is no session '{name}'")).with_hint("sessions.list names them.")
}
