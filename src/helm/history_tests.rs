use super::*;
use crate::model::{ToolCall, ToolResult};

fn row(turn_id: &str, role: Role, blocks: Vec<Block>) -> MessageRow {
    MessageRow { id: 0, turn_id: turn_id.into(), message: Message { role, blocks }, provider: None, created_at: 0 }
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

fn call(id: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into(), opaque: None })
}

fn result(id: &str) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), name: "look".into(), is_error: false, content: "seen".into() })
}

/// One word a block, one line a message.
fn describe(messages: &[Message]) -> String {
    let block = |block: &Block| match block {
        Block::Text { text } => text.clone(),
        Block::ToolCall(call) => format!("call:{}", call.id),
        Block::ToolResult(result) => format!("result:{}", result.call_id),
        other => format!("{other:?}"),
    };
    let message = |message: &Message| {
        format!("{:?} {}", message.role, message.blocks.iter().map(block).collect::<Vec<_>>().join(" "))
    };
    messages.iter().map(message).collect::<Vec<_>>().join("\n")
}

fn conversation() -> (Vec<MessageRow>, HashMap<String, TurnState>) {
    let rows = vec![
        row("a", Role::User, vec![text("first")]),
        row("a", Role::Assistant, vec![text("one")]),
        row("b", Role::User, vec![text("lost")]),
        row("c", Role::User, vec![text("third")]),
        row("c", Role::Assistant, vec![call("1"), call("2")]),
        row("c", Role::Tool, vec![result("1")]),
        row("d", Role::User, vec![text("now")]),
    ];
    let states = [("a", TurnState::Done), ("b", TurnState::Failed), ("c", TurnState::Held), ("d", TurnState::Running)];
    (rows, states.map(|(id, state)| (id.to_owned(), state)).into())
}

#[test]
fn failed_questions_are_left_out() {
    let (rows, states) = conversation();
    let messages = messages(rows, &states, "d", 1000);
    insta::assert_snapshot!(describe(&messages), @r"
    User first
    Assistant one
    User third
    Assistant call:1 call:2
    Tool result:1
    User now
    ");
}

#[test]
fn the_oldest_whole_turns_go_first() {
    let (rows, states) = conversation();
    let messages = messages(rows, &states, "d", 5);
    insta::assert_snapshot!(describe(&messages), @r"
    User now
    ");
}
