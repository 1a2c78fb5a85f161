//! What of a session a model is shown: whole turns, the newest that fit, and no call without its result.

use std::collections::{HashMap, HashSet};

use crate::model::{Block, Message, Role, ToolResult};
use crate::sessions::{MessageRow, TurnRow, TurnState};

/// A rough measure that errs on the high side for prose.
const BYTES_A_TOKEN: usize = 4;

/// What the model reads for a call whose turn ended before its result was written.
const NOT_RUN: &str = "No result of this call was kept; it may not have run.";

/// `current` is the turn that the messages are for; it is always whole. `tools` says whether the call will offer
/// tools: vendors refuse tool calls in a conversation that offers none, so they are told as text then.
pub fn messages(
    rows: Vec<MessageRow>,
    turns: &[TurnRow],
    current: &str,
    budget_tokens: u32,
    tools: bool,
) -> Vec<Message> {
    let groups = group(rows);
    let states: HashMap<&str, TurnState> = turns.iter().map(|turn| (turn.id.as_str(), turn.state)).collect();
    let mut left = budget_tokens as usize * BYTES_A_TOKEN;
    let mut kept: Vec<Vec<Message>> = Vec::new();
    for (turn_id, messages) in groups.into_iter().rev() {
        let is_current = turn_id == current;
        if !is_current && !was_answered(states.get(turn_id.as_str()), &messages) {
            continue;
        }
        let size: usize = messages.iter().map(size).sum();
        if !is_current && size > left {
            break;
        }
        left = left.saturating_sub(size);
        kept.push(messages);
    }
    let mut messages: Vec<Message> = kept.into_iter().rev().flat_map(complete).collect();
    if !tools {
        messages = messages.into_iter().map(without_tools).collect();
    }
    messages
}

/// The rows come turn by turn.
fn group(rows: Vec<MessageRow>) -> Vec<(String, Vec<Message>)> {
    let mut groups: Vec<(String, Vec<Message>)> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some((turn_id, messages)) if *turn_id == row.turn_id => messages.push(row.message),
            _ => groups.push((row.turn_id, vec![row.message])),
        }
    }
    groups
}

/// A turn that failed before anything came of it would only repeat its question.
fn was_answered(state: Option<&TurnState>, messages: &[Message]) -> bool {
    let finished = matches!(state, Some(TurnState::Done | TurnState::Held) | None);
    finished || messages.iter().any(|message| message.role == Role::Assistant)
}

/// Gives every call of a turn a result, and drops results without a call. Some vendors give the same ids again and
/// again: results count, in order, for the calls that came before the others.
fn complete(messages: Vec<Message>) -> Vec<Message> {
    let calls: HashSet<String> = messages.iter().flat_map(Message::tool_calls).map(|call| call.id.clone()).collect();
    let mut results: HashMap<String, usize> = HashMap::new();
    for result in messages.iter().flat_map(Message::tool_results) {
        *results.entry(result.call_id.clone()).or_default() += 1;
    }
    let mut is_answered = |id: &str| match results.get_mut(id) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let mut complete = Vec::with_capacity(messages.len());
    for mut message in messages {
        if message.role == Role::Tool {
            message
                .blocks
                .retain(|block| matches!(block, Block::ToolResult(result) if calls.contains(&result.call_id)));
            if message.blocks.is_empty() {
                continue;
            }
        }
        let missing: Vec<Block> = message
            .tool_calls()
            .filter(|call| !is_answered(&call.id))
            .map(|call| {
                Block::ToolResult(ToolResult {
                    call_id: call.id.clone(),
                    name: call.name.clone(),
                    is_error: true,
                    content: NOT_RUN.to_owned(),
                })
            })
            .collect();
        complete.push(message);
        if !missing.is_empty() {
            complete.push(Message { role: Role::Tool, blocks: missing });
        }
    }
    complete
}

fn without_tools(message: Message) -> Message {
    let role = if message.role == Role::Tool { Role::User } else { message.role };
    let blocks = message.blocks.into_iter().filter_map(|block| match block {
        Block::ToolCall(call) => Some(Block::Text { text: format!("[called {} with {}]", call.name, call.arguments) }),
        Block::ToolResult(result) => {
            Some(Block::Text { text: format!("[result of {}: {}]", result.name, result.content) })
        }
        Block::Reasoning { .. } => None,
        other => Some(other),
    });
    Message { role, blocks: blocks.collect() }
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
