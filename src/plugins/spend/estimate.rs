//! Tokens that nobody has counted, judged by their bytes. It errs on the high side for prose.

use serde_json::Value;

use crate::model::{Block, Delta, Request};

const BYTES_A_TOKEN: usize = 4;

/// Vendors bill an image at roughly this, however many bytes it has.
const IMAGE: usize = 1500 * BYTES_A_TOKEN;

/// What an answer comes to that is not limited more narrowly.
const ANSWER: u64 = 1000;

pub(super) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN) as u64
}

/// What a model would read of it.
pub(super) fn input_tokens(request: &Request) -> u64 {
    let system = request.system.as_ref().map_or(0, String::len);
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let tools =
        request.tools.iter().map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.text().len());
    tokens(system + blocks.map(block).sum::<usize>() + tools.sum::<usize>())
}

/// What a model may write. Limits are set high to be out of the way, and are no measure of the answer.
pub(super) fn output_tokens(request: &Request) -> u64 {
    request.max_tokens.map_or(ANSWER, |limit| u64::from(limit).min(ANSWER))
}

fn block(block: &Block) -> usize {
    match block {
        Block::Text { text } => text.len(),
        Block::Reasoning { text, opaque } => text.len() + opaque.as_ref().map_or(0, |opaque| json(&opaque.value)),
        Block::ToolCall(call) => call.name.len() + call.arguments.len(),
        Block::ToolResult(result) => result.content.len(),
        Block::Image { .. } => IMAGE,
        Block::Foreign { opaque } => json(&opaque.value),
    }
}

fn json(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(json).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + json(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BYTES_A_TOKEN,
    }
}

/// Bytes that a model has written.
pub(super) fn written(delta: &Delta) -> usize {
    match delta {
        Delta::Text { text, .. } => text.len(),
        Delta::Arguments { partial, .. } => partial.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ImageSource, Message, Role, ToolSpec};

    #[test]
    fn a_request_is_judged_by_all_that_is_sent() {
        let mut request = Request { messages: vec![Message::text(Role::User, "abcd")], ..Request::default() };
        assert_eq!(input_tokens(&Request::default()), 0);
        assert_eq!(input_tokens(&request), 1);
        request.system = Some("abcde".to_owned());
        assert_eq!(input_tokens(&request), 3);
        let spec =
            ToolSpec { name: "read".to_owned(), description: String::new(), input_schema: json!({"a": 1}).into() };
        request.tools = [spec].into();
        assert_eq!(input_tokens(&request), 5);
        let source = ImageSource::Url { url: "https://h/x".to_owned() };
        request.messages[0].blocks.push(Block::Image { source });
        assert_eq!(input_tokens(&request), 1505);
        assert_eq!(output_tokens(&request), 1000);
        assert_eq!(output_tokens(&Request { max_tokens: Some(5), ..Request::default() }), 5);
        assert_eq!(output_tokens(&Request { max_tokens: Some(64_000), ..Request::default() }), 1000);
    }
}
