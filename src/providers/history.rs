//! A conversation in the order in which every dialect can say it: each tool call of an assistant followed by exactly
//! one answer, whatever was cut from the history or never ran. Dialects refuse anything else.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::model::{Block, Message, Role, ToolCall, ToolResult};

/// What a model reads for a call whose result is not there.
const NO_RESULT: &str = "no result is known: this call may not have run";

#[derive(Debug, PartialEq)]
pub(super) enum Step<'a> {
    System(String),
    User(&'a [Block]),
    /// With one answer for each of its calls, in their order.
    Assistant(&'a [Block], Vec<Answer<'a>>),
}

impl Step<'_> {
    /// Vendors refuse a system message that does not.
    fn says_something(&self) -> bool {
        !matches!(self, Self::System(text) if text.trim().is_empty())
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Answer<'a> {
    pub(super) call: &'a ToolCall,
    pub(super) is_error: bool,
    pub(super) content: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    /// For dialects that have no field for a failure.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self.is_error {
            true => Cow::Owned(format!("ERROR: {}", self.content)),
            false => self.content,
        }
    }
}

/// What the id of a new call must not be: servers that count begin again with every answer.
pub(super) fn call_ids(messages: &[Message]) -> HashSet<String> {
    messages.iter().flat_map(Message::tool_calls).map(|call| call.id.clone()).collect()
}

/// Results are looked for by their call's id, wherever they stand; results of calls that are gone are left out.
pub(super) fn steps<'a>(messages: &'a [Message]) -> Vec<Step<'a>> {
    // Ids of hand-written conversations repeat; the first result is then the first call's.
    let mut results: HashMap<&str, VecDeque<&ToolResult>> = HashMap::new();
    for result in messages.iter().flat_map(Message::tool_results) {
        results.entry(&result.call_id).or_default().push_back(result);
    }
    let mut result_of = |call: &ToolCall| results.get_mut(call.id.as_str()).and_then(VecDeque::pop_front);
    let step = |message: &'a Message| match message.role {
        Role::System => Some(Step::System(message.plain_text())).filter(Step::says_something),
        Role::User => Some(Step::User(&message.blocks)),
        Role::Assistant => {
            let answers = message.tool_calls().map(|call| answer(call, result_of(call)));
            Some(Step::Assistant(&message.blocks, answers.collect()))
        }
        Role::Tool => None,
    };
    messages.iter().filter_map(step).collect()
}

fn answer<'a>(call: &'a ToolCall, result: Option<&'a ToolResult>) -> Answer<'a> {
    match result {
        Some(result) => Answer { call, is_error: result.is_error, content: Cow::Borrowed(&result.content) },
        None => Answer { call, is_error: true, content: Cow::Borrowed(NO_RESULT) },
    }
}

#[cfg(test)]
mod tests {
    use super::{NO_RESULT, Step, steps};
    use crate::model::{Block, Message, Role, ToolCall, ToolResult};

    fn call(id: &str) -> Block {
        Block::ToolCall(ToolCall { id: id.to_owned(), name: "t".to_owned(), arguments: String::new(), opaque: None })
    }

    fn result(id: &str) -> Message {
        let (call_id, content) = (id.to_owned(), format!("of {id}"));
        let result = ToolResult { call_id, name: "t".to_owned(), is_error: false, content };
        Message { role: Role::Tool, blocks: vec![Block::ToolResult(result)] }
    }

    #[test]
    fn every_call_is_answered_once_and_directly() {
        let calls = Message { role: Role::Assistant, blocks: vec![call("a"), call("b"), call("c")] };
        let messages = [result("gone"), calls, Message::text(Role::User, "wait"), result("c"), result("a")];
        let steps = steps(&messages);
        let Step::Assistant(_, answers) = &steps[0] else { panic!("{steps:?}") };
        let answers: Vec<&str> = answers.iter().map(|answer| &*answer.content).collect();
        assert_eq!(answers, ["of a", NO_RESULT, "of c"]);
        assert!(matches!(steps[1], Step::User(_)));
        assert_eq!(steps.len(), 2);
    }
}
