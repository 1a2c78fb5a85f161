//! How a turn begins: with something said, or with a decision on what it stopped at.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::attempts::{Caller, Events};
use super::conductor::{Running, Shared, now_ms};
use super::request::{Action, Approve, Halted, Message, StopReason, TurnOutcome};
use super::route::Chosen;
use super::runner::{Runner, millis};
use super::turn::{Planned, Turn, Verdict};
use super::{Decision, HelmError};
use crate::model::Mode;
use crate::model::{self, Block, Role, ToolCall, Usage};
use crate::sessions::{ActionRow, ActionState, Context, Kept, MessageRow, TurnRow, TurnSettings, TurnState, Write};

pub fn turn_row(message: &Message, chosen: &Chosen, running: &Running) -> TurnRow {
    let forced = chosen.propose_only.is_some() && message.mode != Mode::Propose;
    let mode = if forced { Mode::Propose } else { message.mode };
    let candidates = chosen.candidates.iter();
    let settings = TurnSettings {
        mode,
        mode_requested: message.mode,
        downgrade_reason: chosen.propose_only.clone().filter(|_| forced),
        candidates: candidates.map(|candidate| (candidate.provider.id().to_owned(), candidate.model.clone())).collect(),
        max_iterations: message.max_iterations,
        per_model_timeout_ms: message.per_model_timeout.map(millis),
    };
    TurnRow {
        id: running.turn_id.to_string(),
        session: message.session.clone(),
        state: TurnState::Queued,
        settings,
        iterations: 0,
        created_at: now_ms(),
    }
}

/// What a turn begins with.
pub struct Beginning {
    context: Context,
    /// Nothing that comes of the turn is told, kept or acted on before.
    kept: Kept,
}

impl Beginning {
    /// When this resolves, the message may be acknowledged.
    pub fn kept(&self) -> Kept {
        self.kept.clone()
    }
}

/// Writes down a message whose turn is next in its session, and gives the turn what it needs to call the model
/// meanwhile: the disk takes as long as all else that is done before the call.
pub async fn keep_and_begin(shared: &Shared, row: &TurnRow, message: &Message) -> Result<Beginning, HelmError> {
    let supersede = Write::Supersede { session: row.session.clone() };
    let running = TurnRow { state: TurnState::Running, ..row.clone() };
    let writes = vec![Write::Turn(running), said(row, message), supersede];
    let (mut context, kept) = shared.store.read_and_write(&row.session, writes).await?;
    context.messages.push(MessageRow {
        id: 0,
        turn_id: row.id.clone(),
        message: model::Message { role: Role::User, blocks: message.content.clone() },
        provider: None,
        created_at: row.created_at,
    });
    Ok(Beginning { context, kept })
}

/// Writes down a message whose turn has to wait.
pub async fn keep(shared: &Shared, row: &TurnRow, message: &Message) -> Result<(), HelmError> {
    shared.store.write(vec![Write::Turn(row.clone()), said(row, message)]).await?;
    Ok(())
}

/// The turn of a message that was kept before is next now.
async fn begin(shared: &Shared, row: &TurnRow) -> Result<Beginning, HelmError> {
    let writes = vec![
        Write::Supersede { session: row.session.clone() },
        Write::TurnState { turn_id: row.id.clone(), state: TurnState::Running, iterations: 0 },
    ];
    let (context, kept) = shared.store.read_and_write(&row.session, writes).await?;
    Ok(Beginning { context, kept })
}

fn said(row: &TurnRow, message: &Message) -> Write {
    let said = model::Message { role: Role::User, blocks: message.content.clone() };
    Write::Message { session: row.session.clone(), turn_id: row.id.clone(), message: said, provider: None }
}

/// A turn that had to wait has no beginning yet.
pub async fn message(
    shared: Arc<Shared>,
    running: Arc<Running>,
    row: TurnRow,
    message: Message,
    chosen: Chosen,
    beginning: Option<Beginning>,
) -> TurnOutcome {
    let beginning = match beginning {
        Some(beginning) => beginning,
        None => begin(&shared, &row).await?,
    };
    let turn = Turn::new(row.settings.mode, row.settings.max_iterations, 0);
    let mut runner = runner(Arc::clone(&shared), &running, row.clone(), chosen, turn);
    runner.context = Some(beginning.context);
    runner.kept = Some(beginning.kept);
    runner.stream = message.stream;
    runner.approver = message.approver;
    failed_is_noted(&shared, &row, runner.run().await).await
}

/// The turn and the actions that a decision is about; the error names the one that cannot be decided.
pub async fn decidable(shared: &Shared, approve: &Approve) -> Result<(TurnRow, Vec<ActionRow>), HelmError> {
    let mut actions: Vec<ActionRow> = Vec::new();
    for id in &approve.action_ids {
        let found = shared.store.action(id).await?.filter(|action| action.session == approve.session);
        let action = found
            .ok_or_else(|| HelmError::bad_request(format!("session '{}' has no action '{id}'", approve.session)))?;
        check_held(&action)?;
        if actions.first().is_some_and(|first| first.turn_id != action.turn_id) {
            return Err(HelmError::bad_request(
                "the actions belong to different turns: decide them one turn at a time",
            ));
        }
        actions.push(action);
    }
    let turn_id = actions.first().map(|action| action.turn_id.clone()).unwrap_or_default();
    let row = shared.store.turn(&turn_id).await?;
    let row = row.ok_or_else(|| HelmError::bad_request("actionIds: at least one action must be named"))?;
    Ok((row, actions))
}

fn check_held(action: &ActionRow) -> Result<(), HelmError> {
    let was = match action.state {
        ActionState::Held => return Ok(()),
        ActionState::Approved => "was approved before",
        ActionState::Denied => "was denied before",
        ActionState::Superseded => "is void: the conversation went on without it",
    };
    Err(HelmError::bad_request(format!("action '{}' {was}", action.id)))
}

pub async fn approve(
    shared: Arc<Shared>,
    running: Arc<Running>,
    row: TurnRow,
    actions: Vec<ActionRow>,
    approve: Approve,
) -> TurnOutcome {
    // A turn that was before us in the lane may have changed things.
    for action in &actions {
        let now = shared.store.action(&action.id).await?;
        check_held(now.as_ref().unwrap_or(action))?;
    }
    let chosen = shared.routes.restore(&row.settings.candidates)?;
    let turn = Turn::new(row.settings.mode, row.settings.max_iterations, row.iterations);
    let mut runner = runner(Arc::clone(&shared), &running, row.clone(), chosen, turn);
    runner.stream = approve.stream;
    runner.approver = approve.approver;
    let outcome = decide_and_go_on(&shared, runner, actions, approve.decision, approve.resume).await;
    failed_is_noted(&shared, &row, outcome).await
}

async fn decide_and_go_on(
    shared: &Shared,
    mut runner: Runner,
    actions: Vec<ActionRow>,
    decision: Decision,
    resume: bool,
) -> TurnOutcome {
    let row = runner.row.clone();
    let suggested: Vec<Write> = actions.iter().filter_map(|action| suggested_call(&row, action)).collect();
    shared.store.write(suggested).await?;
    let decided = actions.iter().map(|action| (action.id.clone(), planned(action))).collect();
    let finished = runner.decide(decided, &decision).await?;
    let earlier: Vec<Action> = shared
        .store
        .held(&row.session)
        .await?
        .into_iter()
        .filter(|action| action.turn_id == row.id)
        .map(action_from)
        .collect();
    if finished.is_none() {
        return runner.end(StopReason::Cancelled, None, earlier).await;
    }
    // The model cannot go on while one of its calls has no result; what was only suggested does not hold it up.
    let waits = earlier.iter().any(|action| action.tool_use_id.is_some());
    match (resume, waits) {
        (_, true) => runner.end(StopReason::DangerousSkill, Some(Halted::DangerousSkill), earlier).await,
        (false, false) => runner.end(StopReason::EndTurn, None, earlier).await,
        (true, false) => runner.run().await,
    }
}

/// What was only suggested in text becomes a call that its result can refer to.
fn suggested_call(row: &TurnRow, action: &ActionRow) -> Option<Write> {
    if action.tool_use_id.is_some() {
        return None;
    }
    let arguments = action.input.as_ref().map(Value::to_string).unwrap_or_default();
    let call = ToolCall { id: action.id.clone(), name: action.skill.clone(), arguments, opaque: None };
    let message = model::Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call)] };
    Some(Write::Message { session: row.session.clone(), turn_id: row.id.clone(), message, provider: None })
}

fn planned(action: &ActionRow) -> Planned {
    let input = action.input.clone().unwrap_or_else(|| json!({}));
    let id = action.tool_use_id.clone().unwrap_or_else(|| action.id.clone());
    let call = ToolCall { id, name: action.skill.clone(), arguments: input.to_string(), opaque: None };
    Planned { call, input, verdict: Verdict::Hold(action.reason.clone().unwrap_or_default()) }
}

pub fn action_from(row: ActionRow) -> Action {
    Action {
        id: row.id,
        skill: row.skill,
        input: row.input,
        tool_use_id: row.tool_use_id,
        reason: row.reason,
        dangerous: row.dangerous,
    }
}

fn runner(helm: Arc<Shared>, running: &Arc<Running>, row: TurnRow, chosen: Chosen, turn: Turn) -> Runner {
    let used = chosen.candidates[0].used(None);
    let events =
        Events { log: helm.logs.get_or_start(&row.session, 0), turn_id: Arc::clone(&running.turn_id), next_index: 0 };
    let caller = Caller {
        candidates: chosen.candidates,
        current: 0,
        timeout: row.settings.per_model_timeout_ms.map(Duration::from_millis),
        attempts: Vec::new(),
        events,
        cancelled: running.cancelled.clone(),
    };
    Runner {
        helm,
        mode: row.settings.mode,
        mode_requested: row.settings.mode_requested,
        row,
        turn,
        caller,
        context: None,
        kept: None,
        stream: false,
        approver: None,
        board: Arc::clone(&running.board),
        cancelled: running.cancelled.clone(),
        trace: Vec::new(),
        usage: Usage::default(),
        waiting: Vec::new(),
        last: None,
        last_row: None,
        used,
    }
}

/// Keeps the turn out of later prompts, if it can still be written down.
async fn failed_is_noted(shared: &Shared, row: &TurnRow, outcome: TurnOutcome) -> TurnOutcome {
    if outcome.is_err() {
        // Two events follow: of the error and of the end.
        let seq = shared.logs.get_or_start(&row.session, 0).last_seq() + 2;
        let writes = vec![
            Write::TurnState { turn_id: row.id.clone(), state: TurnState::Failed, iterations: row.iterations },
            Write::LastSeq { session: row.session.clone(), seq },
        ];
        if let Err(error) = shared.store.write(writes).await {
            tracing::error!(%error, turn = %row.id, "the end of a failed turn could not be written");
        }
    }
    outcome
}
