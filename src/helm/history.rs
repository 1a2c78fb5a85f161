//! What of a session a model is shown: whole turns, the newest that fit, so that no call is parted from its result.
//! A call that has no result, because its process died, is the dialects' business.

use std::collections::{HashMap, HashSet};

use crate::model::{Block, Message, Role};
use crate::sessions::{MessageRow, TurnState};

/// A rough measure that errs on the high side for prose.
const BYTES_A_TOKEN: usize = 4;

/// What so many tokens come to, estimated.
pub fn bytes(tokens: u32) -> usize {
    tokens as usize * BYTES_A_TOKEN
}

/// `current` is the turn that the messages are for; it is always there, whole.
pub fn messages(
    rows: Vec<MessageRow>,
    states: &HashMap<String, TurnState>,
    current: &str,
    budget_tokens: u32,
) -> Vec<Message> {
    kept(rows, states, current, budget_tokens).into_iter().map(|row| row.message).collect()
}

/// The same, each message with its id; and how many of them are known to somebody who knows of all that stands up to the
/// message `seen`, that one included.
pub fn known(
    rows: Vec<MessageRow>,
    states: &HashMap<String, TurnState>,
    current: &str,
    budget_tokens: u32,
    seen: u64,
) -> (Vec<(u64, Message)>, usize) {
    // By place and not by number: a message that waited in the queue may be older than what stands before it.
    let begin = rows.iter().position(|row| row.id == seen).map_or(0, |at| at + 1);
    let known: HashSet<u64> = rows[..begin].iter().map(|row| row.id).collect();
    let kept = kept(rows, states, current, budget_tokens);
    let count = kept.iter().take_while(|row| known.contains(&row.id)).count();
    (kept.into_iter().map(|row| (row.id, row.message)).collect(), count)
}

fn kept(
    rows: Vec<MessageRow>,
    states: &HashMap<String, TurnState>,
    current: &str,
    budget_tokens: u32,
) -> Vec<MessageRow> {
    let groups = group(rows);
    let mut left = bytes(budget_tokens);
    let mut kept: Vec<Vec<MessageRow>> = Vec::new();
    for (turn_id, messages) in groups.into_iter().rev() {
        let is_current = turn_id == current;
        if !is_current && !was_answered(states.get(&turn_id), &messages) {
            continue;
        }
        let size: usize = messages.iter().map(|row| size(&row.message)).sum();
        if !is_current && size > left {
            break;
        }
        left = left.saturating_sub(size);
        kept.push(messages);
    }
    kept.into_iter().rev().flatten().collect()
}

/// The rows come turn by turn.
fn group(rows: Vec<MessageRow>) -> Vec<(String, Vec<MessageRow>)> {
    let mut groups: Vec<(String, Vec<MessageRow>)> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some((turn_id, messages)) if *turn_id == row.turn_id => messages.push(row),
            _ => groups.push((row.turn_id.clone(), vec![row])),
        }
    }
    groups
}

/// A turn that failed before anything came of it would only repeat its question.
fn was_answered(state: Option<&TurnState>, messages: &[MessageRow]) -> bool {
    let finished = matches!(state, Some(TurnState::Done | TurnState::Held) | None);
    finished || messages.iter().any(|row| row.message.role == Role::Assistant)
}

fn size(message: &Message) -> usize {
    let block = |block: &Block| match block {
        Block::Text { text } | Block::Reasoning { text, .. } => text.len(),
        Block::ToolCall(call) => call.name.len() + call.arguments.len(),
        Block::ToolResult(result) => result.content.len(),
        // Vendors bill an image at roughly this many tokens, however many bytes it has.
        Block::Image { .. } => 1500 * BYTES_A_TOKEN,
        Block::Foreign { opaque } => opaque.value.to_string().len(),
    };
    message.blocks.iter().map(block).sum()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
