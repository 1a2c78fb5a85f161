use super::*;
use crate::model::ToolCall;
use crate::sessions::TurnSettings;

fn turn(id: &str, state: TurnState) -> TurnRow {
    let settings = TurnSettings::default();
    TurnRow { id: id.into(), session: "s".into(), state, settings, iterations: 0, created_at: 0 }
}

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
        Block::ToolResult(result) if result.is_error => format!("none:{}", result.call_id),
        Block::ToolResult(result) => format!("result:{}", result.call_id),
        other => format!("{other:?}"),
    };
    let message = |message: &Message| {
        format!("{:?} {}", message.role, message.blocks.iter().map(block).collect::<Vec<_>>().join(" "))
    };
    messages.iter().map(message).collect::<Vec<_>>().join("\n")
}

fn conversation() -> (Vec<MessageRow>, Vec<TurnRow>) {
    let rows = vec![
        row("a", Role::User, vec![text("first")]),
        row("a", Role::Assistant, vec![text("one")]),
        row("b", Role::User, vec![text("lost")]),
        row("c", Role::User, vec![text("third")]),
        row("c", Role::Assistant, vec![call("1"), call("2")]),
        row("c", Role::Tool, vec![result("1")]),
        row("d", Role::User, vec![text("now")]),
    ];
    let turns = [("a", TurnState::Done), ("b", TurnState::Failed), ("c", TurnState::Held), ("d", TurnState::Running)];
    (rows, turns.map(|(id, state)| turn(id, state)).to_vec())
}

#[test]
fn failed_questions_are_left_out_and_open_calls_get_a_result() {
    let (rows, turns) = conversation();
    let messages = messages(rows, &turns, "d", 1000, true);
    insta::assert_snapshot!(describe(&messages), @r"
    User first
    Assistant one
    User third
    Assistant call:1 call:2
    Tool none:2
    Tool result:1
    User now
    ");
}

#[test]
fn ids_that_a_vendor_gives_again_are_told_apart() {
    let rows = vec![
        row("a", Role::User, vec![text("first")]),
        row("a", Role::Assistant, vec![call("1")]),
        row("a", Role::Tool, vec![result("1")]),
        row("b", Role::User, vec![text("second")]),
        row("b", Role::Assistant, vec![call("1")]),
        row("b", Role::Tool, vec![result("1")]),
        row("b", Role::Assistant, vec![call("1")]),
        row("c", Role::User, vec![text("now")]),
    ];
    let turns = [("a", TurnState::Done), ("b", TurnState::Done), ("c", TurnState::Running)];
    let turns = turns.map(|(id, state)| turn(id, state));
    insta::assert_snapshot!(describe(&messages(rows, &turns, "c", 1000, true)), @r"
    User first
    Assistant call:1
    Tool result:1
    User second
    Assistant call:1
    Tool result:1
    Assistant call:1
    Tool none:1
    User now
    ");
}

#[test]
fn the_oldest_whole_turns_go_first() {
    let (rows, turns) = conversation();
    let messages = messages(rows, &turns, "d", 5, true);
    insta::assert_snapshot!(describe(&messages), @r"
    User now
    ");
}

#[test]
fn without_tools_calls_are_told_as_text() {
    let (rows, turns) = conversation();
    let messages = messages(rows, &turns, "d", 1000, false);
    insta::assert_snapshot!(describe(&messages), @r"
    User first
    Assistant one
    User third
    Assistant [called look with {}] [called look with {}]
    User [result of look: No result of this call was kept; it may not have run.]
    User [result of look: seen]
    User now
    ");
}
