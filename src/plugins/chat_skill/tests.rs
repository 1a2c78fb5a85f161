use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::chat_skill;
use crate::model::{
    Block, BlockStart, ClientPlace, Delta, DeltaStream, Metadata, ModelInfo, Provider, ProviderError, Request, Role,
    Stop, ToolChoice, Usage,
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
            Delta::Metadata(metadata(json!({ "path": "run", "cacheStatus": "HIT" }))),
            Delta::Finished(Stop::ToolUse),
        ];
        Ok(stream::iter(deltas.map(Ok)).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

fn metadata(value: Value) -> Metadata {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_chat_goes_in_and_an_answer_comes_out() {
    let fake = Arc::new(Fake::default());
    let gate = Gate::new(fake.clone());
    let skill = chat_skill("fake", "fake-chat", "d", Some(gate), "h", &json!({ "flavour": { "type": "string" } }));
    let input = json!({
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "q" }, { "type": "image", "url": "https://e.example/" }] },
            { "role": "assistant", "content": "", "toolCalls": [{ "id": "c0", "name": "read", "input": { "a": 0 } }] },
            { "role": "tool", "content": "r", "toolCallId": "c0", "name": "read" },
        ],
        "maxTokens": 9,
        "timeoutMs": 1000,
        "flavour": "sweet",
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
        "path": "run",
        "metadata": { "cacheStatus": "HIT" },
    });
    assert_eq!(skill.run(input, &ClientPlace::default()).await.unwrap(), expected);
    let asked = fake.asked.lock().unwrap().take().unwrap();
    assert_eq!((asked.max_tokens, asked.tool_choice), (Some(9), ToolChoice::Required));
    assert_eq!((asked.timeout, &asked.options["flavour"]), (Some(Duration::from_secs(1)), &json!("sweet")));
    assert!(!asked.stream && matches!(asked.messages[0].blocks[1], Block::Image { .. }));
    assert_eq!(asked.messages[1].tool_calls().next().unwrap().arguments, "{\"a\":0}");
    assert_eq!(asked.messages[2].role, Role::Tool);
    assert_eq!(asked.messages[2].tool_results().next().unwrap().call_id, "c0");
}

#[tokio::test]
async fn without_a_provider_it_says_how_to_get_one() {
    let skill = chat_skill("fake", "fake-chat", "d", None, "set FAKE_KEY", &json!({}));
    let error = skill
        .run(json!({ "messages": [{ "role": "user", "content": "q" }] }), &ClientPlace::default())
        .await
        .unwrap_err();
    assert_eq!((error.message.as_str(), error.hint.as_deref()), ("fake is not configured", Some("set FAKE_KEY")));
}

#[tokio::test]
async fn bad_input_is_named() {
    let skill = chat_skill("fake", "fake-chat", "d", None, "h", &json!({}));
    let error = skill
        .run(json!({ "messages": [{ "role": "robot", "content": "q" }] }), &ClientPlace::default())
        .await
        .unwrap_err();
    assert!(error.message.contains("messages.0.role"), "{error}");
}

#[tokio::test]
async fn the_shapes_of_chat_completions_are_understood() {
    let fake = Arc::new(Fake::default());
    let skill = chat_skill("fake", "fake-chat", "d", Some(Gate::new(fake.clone())), "h", &json!({}));
    let call = json!({ "id": "c0", "type": "function", "function": { "name": "read", "arguments": "{\"a\":0}" } });
    let function = json!({ "name": "read", "parameters": { "type": "object" } });
    let input = json!({
        "messages": [
            { "role": "assistant", "content": null, "tool_calls": [call] },
            { "role": "tool", "content": "r", "tool_call_id": "c0" },
        ],
        "tools": [{ "type": "function", "function": function }],
        "stream": true,
    });
    skill.run(input, &ClientPlace::default()).await.unwrap();
    let asked = fake.asked.lock().unwrap().take().unwrap();
    assert_eq!(asked.messages[0].tool_calls().next().unwrap().arguments, "{\"a\":0}");
    assert_eq!(asked.messages[1].tool_results().next().unwrap().call_id, "c0");
    assert_eq!(asked.tools[0].name, "read");
    assert!(asked.stream);
}

#[tokio::test]
async fn images_of_a_result_are_shown_behind_it() {
    let fake = Arc::new(Fake::default());
    let skill = chat_skill("fake", "fake-chat", "d", Some(Gate::new(fake.clone())), "h", &json!({}));
    let image = json!({ "type": "image", "url": "https://e.example/" });
    let call = json!({ "id": "c0", "name": "shoot", "input": {} });
    let input = json!({ "messages": [
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c0", "content": [image] },
    ] });
    skill.run(input, &ClientPlace::default()).await.unwrap();
    let asked = fake.asked.lock().unwrap().take().unwrap();
    assert!(asked.messages[1].tool_results().next().unwrap().content.contains("next message"));
    assert_eq!(asked.messages[2].role, Role::User);
    assert!(matches!(asked.messages[2].blocks[..], [Block::Image { .. }]));
}

/// Pauses once, as a vendor does whose own tools take long.
struct Pausing;

#[async_trait]
impl Provider for Pausing {
    fn id(&self) -> &str {
        "fake"
    }

    fn default_model(&self) -> Option<&str> {
        None
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let (text, stop) = match request.messages.last().unwrap().role {
            Role::Assistant => ("on", Stop::EndTurn),
            _ => ("Going ", Stop::Pause),
        };
        let usage = Usage { output_tokens: Some(2), ..Usage::default() };
        let text = Delta::Text { index: 0, text: text.to_owned() };
        let deltas =
            [Delta::Start { index: 0, block: BlockStart::Text }, text, Delta::Usage(usage), Delta::Finished(stop)];
        Ok(stream::iter(deltas.map(Ok)).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn an_answer_that_pauses_is_gone_on_with() {
    let skill = chat_skill("fake", "fake-chat", "d", Some(Gate::new(Arc::new(Pausing))), "h", &json!({}));
    let answer =
        skill.run(json!({ "messages": [{ "role": "user", "content": "q" }] }), &ClientPlace::default()).await.unwrap();
    assert_eq!((&answer["text"], &answer["usage"]["outputTokens"]), (&json!("Going on"), &json!(4)));
    assert_eq!(answer["stopReason"], "end-turn");
}
