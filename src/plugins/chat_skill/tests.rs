use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::chat_skill;
use crate::model::{
    BlockStart, Delta, DeltaStream, ModelInfo, Provider, ProviderError, Request, Role, Stop, ToolChoice, Usage,
};
use crate::plugins::Gate;

/// Remembers what it was asked and answers with a text and a call.
#[derive(Default)]
struct Fake {
    asked: Mutex<Option<Request>>,
}

#[async_trait]
impl Provider for Fake {
    fn id(&self) -> &str {
        "fake"
    }

    fn default_model(&self) -> Option<&str> {
        Some("fake-1")
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        *self.asked.lock().unwrap() = Some(request);
        let call = BlockStart::ToolCall { id: "c1".to_owned(), name: "read".to_owned() };
        let deltas = [
            Delta::Start { index: 0, block: BlockStart::Text },
            Delta::Text { index: 0, text: "Hi".to_owned() },
            Delta::Start { index: 1, block: call },
            Delta::Arguments { index: 1, partial: "{\"a\":1}".to_owned() },
            Delta::Usage(Usage { input_tokens: Some(3), ..Usage::default() }),
            Delta::Finished(Stop::ToolUse),
        ];
        Ok(stream::iter(deltas.map(Ok)).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_chat_goes_in_and_an_answer_comes_out() {
    let fake = Arc::new(Fake::default());
    let skill = chat_skill("fake", "fake-chat", "d", Some(Gate::new(fake.clone())), "h");
    let input = json!({
        "messages": [
            { "role": "user", "content": "q" },
            { "role": "assistant", "content": "", "tool_calls": [{ "id": "c0", "name": "read", "input": { "a": 0 } }] },
            { "role": "tool", "content": "r", "tool_call_id": "c0", "name": "read" },
        ],
        "maxTokens": 9,
        "tools": [{ "name": "read", "inputSchema": { "type": "object" } }],
        "toolChoice": "required",
    });
    let expected = json!({
        "text": "Hi",
        "toolCalls": [{ "id": "c1", "name": "read", "input": { "a": 1 } }],
        "usage": { "inputTokens": 3 },
        "stopReason": "tool-use",
        "model": "fake-1",
        "provider": "fake",
    });
    assert_eq!(skill.run(input).await.unwrap(), expected);
    let asked = fake.asked.lock().unwrap().take().unwrap();
    assert_eq!((asked.max_tokens, asked.tool_choice), (Some(9), ToolChoice::Required));
    assert_eq!(asked.messages[1].tool_calls().next().unwrap().arguments, "{\"a\":0}");
    assert_eq!(asked.messages[2].role, Role::Tool);
    assert_eq!(asked.messages[2].tool_results().next().unwrap().call_id, "c0");
}

#[tokio::test]
async fn without_a_provider_it_says_how_to_get_one() {
    let skill = chat_skill("fake", "fake-chat", "d", None, "set FAKE_KEY");
    let error = skill.run(json!({ "messages": [{ "role": "user", "content": "q" }] })).await.unwrap_err();
    assert_eq!((error.message.as_str(), error.hint.as_deref()), ("fake is not configured", Some("set FAKE_KEY")));
}

#[tokio::test]
async fn bad_input_is_named() {
    let skill = chat_skill("fake", "fake-chat", "d", None, "h");
    let error = skill.run(json!({ "messages": [{ "role": "robot", "content": "q" }] })).await.unwrap_err();
    assert!(error.message.contains("messages.0.role"), "{error}");
}
