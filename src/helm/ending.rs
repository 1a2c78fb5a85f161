//! The end of a turn: what it came to, on disk and as its result.

use super::id::{new_id, now_ms};
use super::request::{Halted, StopReason, TurnResult};
use super::runner::Runner;
use super::{Action, HelmError};
use crate::model::{Block, Completion, Message, Role, Stop};
use crate::sessions::{ActionState, MessageRow, TurnState, Write};

impl Runner {
    pub async fn interrupted(mut self, partial: Completion) -> Result<TurnResult, HelmError> {
        self.usage.add(partial.usage);
        self.used = self.caller.used(partial.model.as_ref());
        // Calls of an answer that was cut short may be cut short themselves.
        let mut blocks = partial.message.blocks.clone();
        blocks.retain(|block| matches!(block, Block::Text { .. }));
        let message = Message { role: Role::Assistant, blocks };
        self.last = Some(Completion { message, stop: Stop::EndTurn, ..partial });
        self.last_row = None;
        self.end(StopReason::Cancelled, None).await
    }

    /// Ends the turn without another model call.
    pub async fn end(mut self, stop: StopReason, halted: Option<Halted>) -> Result<TurnResult, HelmError> {
        let last = self.last.take();
        let metadata = last.as_ref().map(|last| last.metadata.clone()).unwrap_or_default();
        let refusal = last.as_ref().and_then(|last| match &last.stop {
            Stop::Refusal(why) => why.clone(),
            _ => None,
        });
        let answer = last.map(|last| last.message).filter(|answer| !answer.blocks.is_empty());
        let (suggestions, shown) =
            answer.as_ref().map(|answer| super::action_block::parse(&answer.plain_text())).unwrap_or_default();
        let suggested: Vec<Action> = suggestions.into_iter().map(|suggestion| self.suggest(suggestion)).collect();
        let mut writes: Vec<Write> =
            suggested.iter().map(|action| Write::Action(self.action_row(action, ActionState::Held))).collect();
        if let Some(answer) = answer.clone().filter(|_| self.last_row.is_none()) {
            writes.push(self.assistant(answer));
        }
        self.waiting.extend(suggested);
        self.waiting.append(&mut self.earlier);
        let state = match stop {
            _ if !self.waiting.is_empty() => TurnState::Held,
            // Nothing came of it, and later prompts go without it.
            StopReason::Cancelled if self.turn.iterations() == 0 && answer.is_none() => TurnState::Failed,
            _ => TurnState::Done,
        };
        writes.push(self.state(state));
        writes.extend(self.seen());
        // The event of the end is the next one.
        writes.push(Write::LastSeq { session: self.row.session.clone(), seq: self.caller.events.log.last_seq() + 1 });
        let rows = self.write(writes).await?;
        let row = self.last_row.or(rows.first().copied()).unwrap_or_default();
        let assistant_message = (!shown.is_empty()).then(|| self.message_row(row, &shown));
        Ok(TurnResult {
            session: self.row.session,
            turn_id: self.row.id,
            mode: self.row.settings.mode,
            mode_requested: self.row.settings.mode_requested,
            downgrade_reason: self.row.settings.downgrade_reason,
            assistant_message,
            suggested_actions: self.waiting,
            trace: self.trace,
            stop_reason: stop,
            refusal,
            iterations_used: self.turn.iterations(),
            used: self.used,
            usage: self.usage,
            attempts: self.caller.attempts,
            halted,
            metadata,
            last_answer: answer.map(|answer| answer.blocks).unwrap_or_default(),
        })
    }

    fn suggest(&self, suggestion: super::action_block::Suggestion) -> Action {
        let known = self.setup.skills.get(&suggestion.skill).is_some();
        let reason = if known { None } else { Some(format!("unknown skill '{}'", suggestion.skill)) };
        let dangerous = self.is_dangerous(&suggestion.skill);
        let id = new_id("act");
        let plugin = self.brought_by(&id, &suggestion.skill);
        let (skill, input) = (suggestion.skill, suggestion.input);
        Action { id, skill, plugin, input, tool_use_id: None, reason, dangerous, own: false }
    }

    /// The answer as it is shown.
    fn message_row(&self, id: u64, shown: &str) -> MessageRow {
        MessageRow {
            id,
            turn_id: self.row.id.clone(),
            message: Message::text(Role::Assistant, shown),
            provider: Some(self.used.provider.clone()),
            created_at: now_ms(),
        }
    }
}
