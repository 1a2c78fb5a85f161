//! Models that stand in for one another: across plugins, with tools, in every mode, streamed and not.

use serde_json::{Value, json};

use crate::clients::check_numbers;
use crate::home::Home;
use crate::server::{Answer, Server};
use crate::serving::{stream, whole};
use crate::wire::{Framing, Wire};

const CALL: &str = r#"{"name":"read-note","arguments":"{\"name\":\"quince\"}"}"#;

/// Anthropic first, an OpenAI-compatible server behind it.
fn home(first: &Server, second: &Server) -> Home {
    Home::with("[http]\nmax_retries = 0")
        .set("ANTHROPIC_BASE_URL", &first.url)
        .set("ANTHROPIC_API_KEY", "sk-secret-1")
        .set("ANTHROPIC_DEFAULT_MODEL", "claude-x")
        .set("OPENAI_COMPATIBLE_URL", &second.url)
        .set("OPENAI_COMPATIBLE_DEFAULT_MODEL", "m")
}

fn down() -> Answer {
    Answer::of(whole("529 Overloaded", "", r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#))
}

/// A chat completion, as a stream or not.
fn completion(streamed: bool, message: &str, reason: &str) -> Answer {
    let part = if streamed { "delta" } else { "message" };
    let body = format!(r#"{{"choices":[{{"index":0,"{part}":{message},"finish_reason":"{reason}"}}]}}"#);
    Answer::of(match streamed {
        true => stream(&format!("data: {body}\n\ndata: [DONE]\n\n")),
        false => whole("200 OK", "content-type: application/json\r\n", &body),
    })
}

fn call(streamed: bool) -> Answer {
    let call = format!(r#"{{"tool_calls":[{{"index":0,"id":"c1","type":"function","function":{CALL}}}]}}"#);
    completion(streamed, &call, "tool_calls")
}

fn text(streamed: bool) -> Answer {
    completion(streamed, r#"{"content":"It is a quince."}"#, "stop")
}

fn say(mode: &str, stream: bool, fallbacks: Value) -> Value {
    json!({
        "sessionName": "s", "mode": mode, "stream": stream, "content": "read it", "provider": "anthropic",
        "model": "claude-y", "fallbackModels": fallbacks,
    })
}

/// Provider, model, whether it went well, and the status of each attempt.
fn tried(attempts: &Value) -> Vec<(&str, &str, bool, Option<u64>)> {
    let rows = attempts.as_array().expect("attempts").iter().map(|row| {
        let ok = row["ok"].as_bool().expect("a flag");
        assert!(row["durationMs"].is_u64() && row["error"].is_string() != ok, "{row}");
        let (provider, model) = (row["provider"].as_str(), row["model"].as_str());
        (provider.expect("a provider"), model.expect("a model"), ok, row["status"].as_u64())
    });
    rows.collect()
}

#[tokio::test]
async fn another_plugin_stands_in_with_all_the_tools() {
    for mode in ["selective", "auto"] {
        let mut kinds = Vec::new();
        for streamed in [false, true] {
            let first = Server::start(vec![down()]).await;
            let second = Server::start(vec![call(streamed), text(streamed)]).await;
            let home = home(&first, &second);
            let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
            wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
            let params = say(mode, streamed, json!(["openai-compatible/m-2", "offline"]));
            let result = wire.ask("conductor.message", params).await.expect("the second answers");
            assert_eq!(
                (&result["providerUsed"], &result["stopReason"]),
                (&json!("openai-compatible"), &json!("end-turn"))
            );
            assert_eq!(result["trace"][0]["result"], json!({"name": "quince"}), "{result}");
            // The one that failed is not asked again in this turn.
            let attempts = tried(&result["attempts"]);
            let won = ("openai-compatible", "m-2", true, None);
            assert_eq!(attempts, [("anthropic", "claude-y", false, Some(529)), won, won], "{mode} {streamed}");
            assert_eq!((first.asked().len(), second.asked().len()), (1, 2));
            assert!(second.asked()[0].contains("read-note"), "the tools are offered");
            let events = wire.events("s");
            check_numbers(&events);
            kinds.push(events.iter().map(|params| params["event"]["kind"].clone()).collect::<Vec<_>>());
        }
        assert_eq!(kinds[0], kinds[1], "{mode}: streamed or not, the same events");
    }
}

#[tokio::test]
async fn plans_have_fallbacks_too() {
    for streamed in [false, true] {
        let (first, second) = (Server::start(vec![down()]).await, Server::start(vec![text(streamed)]).await);
        let home = home(&first, &second);
        let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
        let params = say("propose", streamed, json!(["openai-compatible"]));
        let result = wire.ask("conductor.message", params).await.expect("the second answers");
        assert_eq!(result["assistantMessage"]["content"], "It is a quince.");
        let expected = [("anthropic", "claude-y", false, Some(529)), ("openai-compatible", "m", true, None)];
        assert_eq!(tried(&result["attempts"]), expected);
        assert!(!second.asked()[0].contains("\"tools\""));
    }
}

#[tokio::test]
async fn when_all_fail_each_attempt_is_told() {
    for streamed in [false, true] {
        let (first, second) = (Server::start(vec![down()]).await, Server::start(vec![down()]).await);
        let home = home(&first, &second);
        let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
        let params = say("auto", streamed, json!(["claude-z", "openai-compatible"]));
        let error = wire.ask("conductor.message", params).await.expect_err("nobody answers");
        assert_eq!(error["data"]["code"], "E_FALLBACKS_EXHAUSTED");
        let expected = [
            ("anthropic", "claude-y", false, Some(529)),
            ("anthropic", "claude-z", false, Some(529)),
            ("openai-compatible", "m", false, Some(529)),
        ];
        assert_eq!(tried(&error["data"]["attempts"]), expected);
    }
}

const BEGUN: &str = concat!(
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n",
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hello\"}}\n\n",
);

#[tokio::test]
async fn nobody_stands_in_for_an_answer_that_was_begun() {
    let first = Server::start(vec![Answer::of(stream(BEGUN))]).await;
    let second = Server::start(vec![text(true)]).await;
    let home = home(&first, &second);
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    let error = wire.ask("conductor.message", say("auto", true, json!(["openai-compatible"]))).await;
    let error = error.expect_err("it broke off");
    assert_eq!(error["data"]["code"], "E_PROVIDER_FAILED");
    assert_eq!(tried(&error["data"]["attempts"]), [("anthropic", "claude-y", false, None)]);
    assert!(second.asked().is_empty());
    // Whoever sees nothing of it meanwhile loses nothing.
    let result = wire.ask("conductor.message", say("auto", false, json!(["openai-compatible"]))).await;
    assert_eq!(result.expect("the second answers")["providerUsed"], "openai-compatible");
}

#[tokio::test]
async fn one_that_takes_too_long_is_hung_up_on() {
    for streamed in [false, true] {
        // Before it says anything, and in the midst of what nobody has seen.
        let slow = if streamed { String::new() } else { stream(BEGUN) };
        let mut first = Server::start(vec![Answer::holding(slow)]).await;
        let second = Server::start(vec![text(streamed)]).await;
        let home = home(&first, &second);
        let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
        let mut params = say("auto", streamed, json!(["openai-compatible"]));
        params["perModelTimeoutMs"] = json!(300);
        let result = wire.ask("conductor.message", params).await.expect("the second answers");
        let expected = [("anthropic", "claude-y", false, None), ("openai-compatible", "m", true, None)];
        assert_eq!(tried(&result["attempts"]), expected);
        first.lost(1).await;
        assert_eq!(first.asked().len(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn one_that_is_interrupted_did_not_answer_and_is_named() {
    let first = Server::start(vec![down()]).await;
    let begun = stream("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"It is\"}}]}\n\n");
    let mut second = Server::start(vec![Answer::holding(begun)]).await;
    let home = home(&first, &second);
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    let params = say("propose", true, json!(["openai-compatible/m-2", "openai-compatible/m-3"]));
    let id = wire.send("conductor.message", params).await;
    wire.until_event("text-delta").await;
    wire.ask("conductor.interrupt", json!({"sessionName": "s"})).await.expect("a turn to stop");
    let result = wire.answer(id).await.expect("a result");
    second.lost(1).await;
    let used = (&result["providerUsed"], &result["modelUsed"], &result["assistantMessage"]["provider"]);
    assert_eq!(used, (&json!("openai-compatible"), &json!("m-2"), &json!("openai-compatible")), "{result}");
    let failed = [("anthropic", "claude-y", false, Some(529)), ("openai-compatible", "m-2", false, None)];
    assert_eq!(tried(&result["attempts"]), failed);
}

#[tokio::test]
async fn a_name_that_is_empty_is_refused_with_its_place() {
    let server = Server::start(Vec::new()).await;
    let home = home(&server, &server);
    let mut wire = Wire::connect(&home.daemon().await, Framing::Lines);
    for empty in ["", "  "] {
        let params = say("propose", false, json!(["openai-compatible", empty]));
        let error = wire.ask("conductor.message", params).await.expect_err("it names nothing");
        assert_eq!(error["data"]["code"], "E_BAD_REQUEST");
        assert_eq!(error["message"], "parameter 'fallbackModels[1]' must name a model or a provider");
    }
    let error = wire.ask("conductor.message", say("propose", false, json!(vec!["offline"; 17]))).await;
    assert_eq!(error.expect_err("too many")["message"], "parameter 'fallbackModels' must name at most 16");
    assert_eq!(server.asked().len(), 0);
}
