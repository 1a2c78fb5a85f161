//! How a turn begins: with something said, or with a decision on what it stopped at.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::Events;
use super::attempts::Caller;
use super::conductor::Shared;
use super::id::{millis, now_ms};
use super::request::{Action, Approve, Halted, Message, StopReason, TurnOutcome};
use super::route::Chosen;
use super::runner::Runner;
use super::running::Running;
use super::setup::Setup;
use super::take_up::{self, TakenUp};
use super::turn::Turn;
use super::{Decision, HelmError};
use crate::model::{self, Block, Mode, Role, Thread, ToolCall, Usage};
use crate::sessions::{ActionRow, ActionState, Context, TurnRow, TurnSettings, TurnState, Write};

pub fn turn_row(message: &Message, chosen: &Chosen, running: &Running) -> TurnRow {
    let forced = chosen.propose_only.is_some() && message.mode != Mode::Propose;
    let mode = if forced { Mode::Propose } else { message.mode };
    let candidates = chosen.candidates.iter();
    let settings = TurnSettings {
        mode,
        mode_requested: message.mode,
        downgrade_reason: chosen.propose_only.clone().filter(|_| forced),
        candidates: candidates.map(|candidate| (candidate.id.clone(), candidate.model.clone())).collect(),
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

/// Writes down what must be on disk before the message is acknowledged. A turn that is next in its session begins with
/// the same stroke, and gets what it has to know: each trip to the disk costs as much as all else that is done here.
pub async fn keep(
    shared: &Shared,
    row: &TurnRow,
    message: &Message,
    is_next: bool,
) -> Result<Option<Context>, HelmError> {
    let mut writes = said(row, message);
    if !is_next {
        shared.store.write(writes).await?;
        return Ok(None);
    }
    writes.extend(begin(row, message));
    Ok(Some(shared.store.write_and_read(writes, &row.session, shared.context_bytes()).await?))
}

fn said(row: &TurnRow, message: &Message) -> Vec<Write> {
    let said = model::Message { role: Role::User, blocks: message.content.clone() };
    let (session, turn_id) = (row.session.clone(), row.id.clone());
    vec![Write::Turn(row.clone()), Write::Message { session, turn_id, message: said, provider: None }]
}

fn begin(row: &TurnRow, message: &Message) -> Vec<Write> {
    let mut writes = vec![
        Write::Supersede { session: row.session.clone() },
        Write::TurnState { turn_id: row.id.clone(), state: TurnState::Running, iterations: 0 },
    ];
    if let Some(id) = message.thread.clone() {
        let (session, mode) = (row.session.clone(), row.settings.mode);
        writes.push(Write::Thread { session, mode, thread: Thread::named(id) });
    }
    writes
}

/// The beginning of a turn that had to wait. If its session was deleted meanwhile, it begins a new one.
async fn again(shared: &Shared, row: &TurnRow, message: &Message) -> Result<Vec<Write>, HelmError> {
    let kept = shared.store.turn(&row.id).await?.is_some();
    let mut writes = if kept { Vec::new() } else { said(row, message) };
    writes.extend(begin(row, message));
    Ok(writes)
}

/// The context is there if the turn has begun on disk.
pub async fn message(
    shared: Arc<Shared>,
    running: Arc<Running>,
    row: TurnRow,
    message: Message,
    (setup, chosen): (Arc<Setup>, Chosen),
    context: Option<Context>,
) -> TurnOutcome {
    let context = match context {
        Some(context) => context,
        None => {
            let writes = again(&shared, &row, &message).await?;
            shared.store.write_and_read(writes, &row.session, shared.context_bytes()).await?
        }
    };
    let turn = Turn::new(row.settings.mode, row.settings.max_iterations, 0);
    let mut runner = runner(Arc::clone(&shared), &running, row.clone(), (setup, chosen), turn);
    runner.context = Some(context);
    runner.stream = message.stream;
    runner.client = message.place.in_turn(&row.session, &row.id).into();
    shared.places.remember(&row.session, &row.id, Arc::clone(&runner.client));
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

/// Only a skill takes another input than the model's, and an empty one is none.
pub async fn check_input(shared: &Shared, approve: &Approve) -> Result<(), HelmError> {
    for id in &approve.action_ids {
        let Some(action) = shared.store.action(id).await? else { continue };
        if action.own {
            return Err(HelmError::bad_request("the command cannot be changed: approve or deny it as it is"));
        }
        let is_held = action.session == approve.session && action.state == ActionState::Held;
        if is_held && approve.decision.is_unclear(action.input.as_ref()) {
            return Err(HelmError::EmptyInput { action: action.id });
        }
    }
    Ok(())
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
    let outcome = take_up(&shared, &running, &row, actions, approve).await;
    failed_is_noted(&shared, &row, outcome).await
}

async fn take_up(
    shared: &Arc<Shared>,
    running: &Arc<Running>,
    row: &TurnRow,
    actions: Vec<ActionRow>,
    approve: Approve,
) -> TurnOutcome {
    let place = shared.places.of(&row.id).unwrap_or_else(|| Arc::clone(&approve.place));
    let setup = shared.setup_for(&place);
    let chosen = setup.routes.restore(&row.settings.candidates, row.settings.mode)?;
    let turn = Turn::new(row.settings.mode, row.settings.max_iterations, row.iterations);
    let mut runner = runner(Arc::clone(shared), running, row.clone(), (setup, chosen), turn);
    runner.stream = approve.stream;
    runner.client = place.in_turn(&row.session, &row.id).into();
    shared.places.remember(&row.session, &row.id, Arc::clone(&runner.client));
    runner.approver = approve.approver.clone();
    if !runner.cancelled.is_cancelled() {
        match take_up::decide(&mut runner, &actions, &approve).await? {
            TakenUp::Goes(step) => return runner.run_from(step).await,
            TakenUp::Over => {}
        }
    }
    decide_and_go_on(shared, runner, actions, approve.decision, approve.resume).await
}

async fn decide_and_go_on(
    shared: &Shared,
    mut runner: Runner,
    actions: Vec<ActionRow>,
    decision: Decision,
    resume: bool,
) -> TurnOutcome {
    let row = runner.row.clone();
    // Stopped before anything was decided: what waits goes on waiting.
    if runner.cancelled.is_cancelled() {
        runner.earlier = actions.into_iter().map(action_from).collect();
        return runner.end(StopReason::Cancelled, None).await;
    }
    let suggested: Vec<Write> = actions.iter().filter_map(|action| suggested_call(&row, action)).collect();
    let decided = actions.iter().map(|action| (action.id.clone(), runner.planned(action))).collect();
    let finished = runner.decide(decided, &decision, suggested).await?;
    runner.earlier = shared
        .store
        .held(&row.session)
        .await?
        .into_iter()
        .filter(|action| action.turn_id == row.id)
        .map(action_from)
        .collect();
    if finished.is_none() {
        return runner.end(StopReason::Cancelled, None).await;
    }
    // The model cannot go on while one of its calls has no result; what was only suggested does not hold it up.
    let waits = runner.earlier.iter().any(|action| action.tool_use_id.is_some());
    match (resume, waits) {
        (_, true) => runner.end(StopReason::DangerousSkill, Some(Halted::DangerousSkill)).await,
        (false, false) => runner.end(StopReason::EndTurn, None).await,
        (true, false) => runner.run().await,
    }
}

/// What was only suggested in text becomes a call that its result can refer to.
pub fn suggested_call(row: &TurnRow, action: &ActionRow) -> Option<Write> {
    if action.tool_use_id.is_some() {
        return None;
    }
    let arguments = action.input.as_ref().map(Value::to_string).unwrap_or_default();
    let call = ToolCall { id: action.id.clone(), name: action.skill.clone(), arguments, opaque: None };
    let message = model::Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call)] };
    Some(Write::Message { session: row.session.clone(), turn_id: row.id.clone(), message, provider: None })
}

pub fn action_from(row: ActionRow) -> Action {
    Action {
        id: row.id,
        skill: row.skill,
        plugin: row.plugin,
        input: row.input,
        tool_use_id: row.tool_use_id,
        reason: row.reason,
        dangerous: row.dangerous,
        own: row.own,
    }
}

/// A turn that was cancelled before its time came. What waits in it goes on waiting.
pub async fn never_ran(shared: Arc<Shared>, running: &Arc<Running>, row: TurnRow) -> TurnOutcome {
    let setup = shared.setup();
    let chosen = setup.routes.restore(&row.settings.candidates, row.settings.mode)?;
    let turn = Turn::new(row.settings.mode, row.settings.max_iterations, row.iterations);
    let held = shared.store.held(&row.session).await?.into_iter();
    let earlier = held.filter(|action| action.turn_id == row.id).map(action_from).collect();
    let mut runner = runner(Arc::clone(&shared), running, row, (setup, chosen), turn);
    runner.earlier = earlier;
    runner.end(StopReason::Cancelled, None).await
}

fn runner(
    helm: Arc<Shared>,
    running: &Arc<Running>,
    row: TurnRow,
    (setup, chosen): (Arc<Setup>, Chosen),
    turn: Turn,
) -> Runner {
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
        setup,
        row,
        turn,
        caller,
        context: None,
        stream: false,
        client: Arc::default(),
        approver: None,
        running: Arc::clone(running),
        cancelled: running.cancelled.clone(),
        steers: running.listen(),
        trace: Vec::new(),
        usage: Usage::default(),
        waiting: Vec::new(),
        earlier: Vec::new(),
        last: None,
        last_row: None,
        used,
        threaded: false,
    }
}

/// Keeps the turn out of later prompts, if it can still be written down.
async fn failed_is_noted(shared: &Shared, row: &TurnRow, outcome: TurnOutcome) -> TurnOutcome {
    if let Err(error) = &outcome {
        // Two events follow: of the error and of the end.
        let seq = shared.logs.get_or_start(&row.session, 0).last_seq() + 2;
        let mut writes = vec![Write::LastSeq { session: row.session.clone(), seq }];
        // A decision that came too late, or too early, changes nothing about the turn.
        if !matches!(error, HelmError::BadRequest { .. } | HelmError::Waits { .. }) {
            let state = TurnState::Failed;
            writes.push(Write::TurnState { turn_id: row.id.clone(), state, iterations: row.iterations });
        }
        if let Err(error) = shared.store.write(writes).await {
            tracing::error!(%error, turn = %row.id, "the end of a failed turn could not be written");
        }
    }
    outcome
}
