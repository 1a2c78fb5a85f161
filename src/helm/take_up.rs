//! Going on with a turn that waits in its engine, with decisions on what it waits for.
//!
//! The engine is asked first whether it still waits, which changes nothing; then the decisions are written down, and
//! then carried out as the engine tells again of what it waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::engine_calls::Calls;
use super::holds::Held;
use super::request::Approve;
use super::runner::Runner;
use super::start::{action_from, suggested_call};
use super::turn::Step;
use super::{Decision, HelmError};
use crate::model::{Engine, Role, Run};
use crate::sessions::{ActionRow, ActionState, Context, MessageRow, TurnState, Write};

/// How long letting go of a turn may take.
const LEAVE: Duration = Duration::from_secs(3);

pub enum TakenUp {
    /// The decisions are carried out, and this is next.
    Goes(Step),
    /// No engine waits for the decisions; they are still to be written.
    Over,
}

pub async fn decide(runner: &mut Runner, actions: &[ActionRow], approve: &Approve) -> Result<TakenUp, HelmError> {
    if runner.caller.candidates.iter().all(|candidate| candidate.engine.is_none()) {
        return Ok(TakenUp::Over);
    }
    let context = runner.context().await?;
    let Some(engine) = engine(runner, &context) else { return Ok(TakenUp::Over) };
    if actions.iter().all(|action| action.tool_use_id.is_none()) {
        return Ok(TakenUp::Over);
    }
    let place = runner.place(&context.threads);
    let taken = tokio::select! {
        biased;
        () = runner.cancelled.cancelled() => return Ok(TakenUp::Over),
        taken = engine.take_up(place) => taken,
    };
    let any_own = actions.iter().any(|action| action.own);
    let provider = engine.id();
    match taken {
        Ok(Some(run)) => carry_out(runner, run, context, actions, approve).await.map(TakenUp::Goes),
        Ok(None) => {
            forget_own(runner).await?;
            if any_own {
                let message = format!(
                    "{provider} no longer waits for this, for its turn has ended meanwhile: say again what is to be done"
                );
                return Err(HelmError::bad_request(message));
            }
            Ok(TakenUp::Over)
        }
        Err(error) if any_own => Err(HelmError::Waits { provider: provider.to_owned(), error: Arc::new(error) }),
        Err(error) => {
            tracing::warn!(turn = %runner.row.id, provider, %error, "a turn could not be taken up; it is begun anew");
            Ok(TakenUp::Over)
        }
    }
}

/// The engine that has run the turn so far, if one has. No other begins in its midst.
fn engine(runner: &mut Runner, context: &Context) -> Option<Arc<dyn Engine>> {
    let said = rows_of(runner, context).filter(|row| row.message.role == Role::Assistant);
    let provider = said.filter_map(|row| row.provider.as_deref()).last();
    let caller = &mut runner.caller;
    let is_it =
        |candidate: &super::attempts::Candidate| candidate.engine.is_some() && provider == Some(candidate.id.as_str());
    let at = caller.candidates.iter().position(is_it);
    caller.in_mid_turn(at);
    caller.current = at.unwrap_or_default();
    runner.used = caller.used(None);
    caller.candidates[caller.current].engine.clone()
}

fn rows_of<'a>(runner: &Runner, context: &'a Context) -> impl Iterator<Item = &'a MessageRow> + use<'a> {
    let turn_id = runner.row.id.clone();
    context.messages.iter().filter(move |row| row.turn_id == turn_id)
}

async fn carry_out(
    runner: &mut Runner,
    run: Box<dyn Run>,
    context: Context,
    actions: &[ActionRow],
    approve: &Approve,
) -> Result<Step, HelmError> {
    let mut calls = match noted(runner, &context, actions, &approve.decision).await {
        Ok(calls) => calls,
        Err(error) => {
            let _ = tokio::time::timeout(LEAVE, run.leave()).await;
            return Err(error);
        }
    };
    runner.model_is_called();
    calls.stops = !approve.resume;
    runner.follow(run, Instant::now(), calls).await
}

/// The decisions, written down, and what of them the engine will ask for.
async fn noted(
    runner: &mut Runner,
    context: &Context,
    actions: &[ActionRow],
    decision: &Decision,
) -> Result<Calls, HelmError> {
    let (called, suggested): (Vec<&ActionRow>, Vec<&ActionRow>) =
        actions.iter().partition(|action| action.tool_use_id.is_some());
    let others = held(runner).await?.into_iter().filter(|other| actions.iter().all(|action| action.id != other.id));
    let others = others.map(action_from);
    (runner.waiting, runner.earlier) = others.partition(|action| action.tool_use_id.is_some());
    let ids: Vec<String> = called.iter().map(|action| action.id.clone()).collect();
    runner.note_decision(&ids, decision, Vec::new()).await?;
    // The engine knows nothing of what was only suggested.
    let writes = suggested.iter().filter_map(|action| suggested_call(&runner.row, action)).collect();
    let decided: Vec<_> = suggested.iter().map(|action| (action.id.clone(), runner.planned(action))).collect();
    if !decided.is_empty() {
        runner.decide(decided, decision, writes).await?;
    }
    let one = |action: &&ActionRow| {
        let held = Held { planned: runner.planned(action), action: action_from((*action).clone()) };
        (held, decision.clone())
    };
    let decided = called.iter().map(one).collect();
    let waiting = runner.waiting.iter().filter_map(|action| action.tool_use_id.clone());
    let blocks = rows_of(runner, context).flat_map(|row| &row.message.blocks);
    Ok(Calls::taken_up(blocks, decided, waiting))
}

async fn held(runner: &Runner) -> Result<Vec<ActionRow>, HelmError> {
    let held = runner.helm.store.held(&runner.row.session).await?;
    Ok(held.into_iter().filter(|action| action.turn_id == runner.row.id).collect())
}

/// Nothing waits in the engine any more: of what it would do itself nothing can be decided.
async fn forget_own(runner: &Runner) -> Result<(), HelmError> {
    let (own, skills): (Vec<ActionRow>, Vec<ActionRow>) =
        held(runner).await?.into_iter().partition(|action| action.own);
    if own.is_empty() {
        return Ok(());
    }
    let state = ActionState::Superseded;
    let mut writes: Vec<Write> = own.into_iter().map(|action| Write::Decide { id: action.id, state }).collect();
    writes.push(runner.state(if skills.is_empty() { TurnState::Done } else { TurnState::Held }));
    runner.write(writes).await?;
    Ok(())
}
