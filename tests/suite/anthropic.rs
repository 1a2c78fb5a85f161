//! The Messages API as clients see it: pauses that are gone on with, refusals that say why, thoughts that go back.

use serde_json::{Value, json};

use crate::home::Home;
use crate::server::{Answer, Server};
use crate::serving::whole;
use crate::wire::{Framing, Wire};

fn message(content: &Value, stop: &str) -> Answer {
    let usage = json!({"input_tokens": 10, "output_tokens": 2});
    let message = json!({"id": "msg", "type": "message", "content": content, "stop_reason": stop, "usage": usage});
    answer(&message)
}

fn answer(body: &Value) -> Answer {
    Answer::of(whole("200 OK", "content-type: application/json\r\nrequest-id: req_1\r\n", &body.to_string()))
}

fn home(server: &Server) -> Home {
    Home::new()
        .set("ANTHROPIC_BASE_URL", &server.url)
        .set("ANTHROPIC_API_KEY", "sk-secret-1")
        .set("ANTHROPIC_DEFAULT_MODEL", "claude-x")
}

/// The messages of each request that was sent.
fn sent(server: &Server) -> Vec<Value> {
    let body = |asked: &String| {
        let (_, body) = asked.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str::<Value>(body).expect("JSON")["messages"].take()
    };
    server.asked().iter().map(body).collect()
}

fn search() -> Value {
    json!([
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "So far"},
    ])
}

async fn start(script: Vec<Answer>) -> (Server, Home) {
    let server = Server::start(script).await;
    let home = home(&server);
    (server, home)
}

#[tokio::test]
async fn a_turn_that_pauses_goes_on_where_it_was() {
    let end = json!([{"type": "text", "text": ", so good."}]);
    let (server, home) = start(vec![message(&search(), "pause_turn"), message(&end, "end_turn")]).await;
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    let result = wire.ask("conductor.message", json!({"mode": "auto", "content": "look"})).await.expect("a result");
    assert_eq!((&result["stopReason"], &result["iterationsUsed"]), (&json!("end-turn"), &json!(2)));
    assert_eq!(result["usage"]["outputTokens"], 4);
    assert_eq!(result["metadata"]["requestId"], "req_1");
    assert_eq!(sent(&server)[1][1], json!({"role": "assistant", "content": search()}));
}

#[tokio::test]
async fn a_question_that_pauses_goes_on_where_it_was() {
    let end = json!([{"type": "text", "text": ", so good."}]);
    let (server, home) = start(vec![message(&search(), "pause_turn"), message(&end, "end_turn")]).await;
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    let input = json!({"messages": [{"role": "user", "content": "look"}]});
    let result = wire.ask("skills.invoke", json!({"skill": "anthropic-chat", "input": input})).await;
    let data = result.expect("a result")["data"].take();
    assert_eq!((&data["text"], &data["stopReason"]), (&json!("So far, so good."), &json!("end-turn")));
    assert_eq!(data["usage"]["outputTokens"], 4);
    assert_eq!(sent(&server)[1][1], json!({"role": "assistant", "content": search()}));
}

#[tokio::test]
async fn a_refusal_says_why() {
    let details = json!({"type": "refusal", "category": "bio", "explanation": "That would harm others."});
    let refusal = json!({"id": "msg", "content": [], "stop_reason": "refusal", "stop_details": details});
    let (_server, home) = start(vec![answer(&refusal)]).await;
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    for stream in [false, true] {
        let params = json!({"mode": "auto", "content": "harm", "stream": stream});
        let result = wire.ask("conductor.message", params).await.expect("a result");
        let told = (&result["stopReason"], &result["refusal"]);
        assert_eq!(told, (&json!("refusal"), &json!("That would harm others.")), "{result}");
        assert_eq!(result["assistantMessage"], Value::Null);
    }
    let input = json!({"messages": [{"role": "user", "content": "harm"}]});
    let result = wire.ask("skills.invoke", json!({"skill": "anthropic-chat", "input": input})).await;
    let data = result.expect("a result")["data"].take();
    assert_eq!((&data["stopReason"], &data["refusal"]), (&json!("refusal"), &json!("That would harm others.")));
}

#[tokio::test]
async fn quirk_18_thoughts_go_back_with_the_results_of_their_calls_and_not_to_another_model() {
    let thinking = json!([
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "enc"},
        {"type": "tool_use", "id": "toolu_1", "name": "read-note", "input": {"name": "quince"}},
    ]);
    let end = json!([{"type": "text", "text": "Done."}]);
    let (server, home) = start(vec![message(&thinking, "tool_use"), message(&end, "end_turn")]).await;
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    for model in ["claude-x", "claude-y"] {
        let params = json!({"mode": "auto", "content": "read", "model": model});
        wire.ask("conductor.message", params).await.expect("a result");
    }
    let sent = sent(&server);
    assert_eq!(sent[1][1]["content"], thinking);
    assert_eq!(sent[1][2]["content"][0]["tool_use_id"], "toolu_1");
    assert_eq!(sent[2][1]["content"], json!([thinking[2]]), "another model would refuse the signature");
}

#[tokio::test]
async fn tokens_are_counted_before_they_are_spent() {
    let (server, home) = start(vec![answer(&json!({"input_tokens": 14}))]).await;
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    let input = json!({"messages": [{"role": "user", "content": "hello"}], "maxTokens": 5});
    let result = wire.ask("skills.invoke", json!({"skill": "anthropic-count-tokens", "input": input})).await;
    assert_eq!(result.expect("a count")["data"], json!({"inputTokens": 14, "model": "claude-x"}));
    assert!(server.asked()[0].starts_with("POST /v1/messages/count_tokens "));
}
