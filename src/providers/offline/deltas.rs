//! An answer as the deltas of any provider.

use super::{Answer, Call, ID};
use crate::model::{BlockStart, Delta, Message, Stop};

/// Whole words, in pieces large enough to be worth a frame.
const PIECE: usize = 24;

pub(super) fn of(answer: Answer, earlier: &[Message], streamed: bool) -> Vec<Delta> {
    match answer {
        Answer::Say(text) => say(&text, streamed),
        Answer::Call(calls) => call(calls, next_number(earlier)),
    }
}

fn say(text: &str, streamed: bool) -> Vec<Delta> {
    let pieces = if streamed { pieces(text) } else { vec![text] };
    let mut deltas = vec![Delta::Start { index: 0, block: BlockStart::Text }];
    deltas.extend(pieces.into_iter().map(|piece| Delta::Text { index: 0, text: piece.to_owned() }));
    deltas.extend([Delta::Stop { index: 0 }, Delta::Finished(Stop::EndTurn)]);
    deltas
}

fn call(calls: Vec<Call>, first: usize) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for (index, (call, number)) in (0..).zip(calls.into_iter().zip(first..)) {
        let block = BlockStart::ToolCall { id: format!("{ID}-{number}"), name: call.skill };
        deltas.push(Delta::Start { index, block });
        deltas.push(Delta::Arguments { index, partial: call.arguments });
        deltas.push(Delta::Stop { index });
    }
    deltas.push(Delta::Finished(Stop::ToolUse));
    deltas
}

/// One more than any before: the oldest calls may have been left out of the history.
fn next_number(earlier: &[Message]) -> usize {
    let ids = || earlier.iter().flat_map(Message::tool_calls).map(|call| call.id.as_str());
    let numbers = ids().filter_map(|id| id.strip_prefix(ID)?.strip_prefix('-')?.parse::<usize>().ok());
    numbers.max().unwrap_or_default().max(ids().count()).saturating_add(1)
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    for word in text.split_inclusive(char::is_whitespace) {
        end += word.len();
        if end - start >= PIECE {
            pieces.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}
