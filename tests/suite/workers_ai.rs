//! Workers AI through the whole daemon: it proposes until it is allowed more, and its calls without ids find their way.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

const TOKEN: &str = "sk-secret-upstream-key";
const CALL: &str =
    r#"{"result":{"response":null,"tool_calls":[{"name":"write-note","arguments":{"text":"quince"}}]},"success":true}"#;
const DONE: &str = r#"{"result":{"response":"It is done.","usage":{"prompt_tokens":7}},"success":true}"#;

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Calls a skill at the first request and is content afterwards; keeps the addresses and the bodies.
async fn serve() -> (String, Asked) {
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    let answer = move |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n").expect("a request");
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let calls = body["messages"].as_array().is_some_and(|messages| messages.len() == 2);
        kept.lock().expect("nobody panics with it").push((head.lines().next().unwrap_or_default().to_owned(), body));
        whole("200 OK", "content-type: application/json\r\n", if calls { CALL } else { DONE })
    };
    (format!("{}/client/v4", serving::answer(answer).await), asked)
}

fn home(url: &str, tables: &str) -> Home {
    Home::with(tables)
        .set("CLOUDFLARE_API_BASE_URL", url)
        .set("CLOUDFLARE_API_TOKEN", TOKEN)
        .set("CLOUDFLARE_ACCOUNT_ID", "abc123")
        .set("WORKERS_AI_DEFAULT_MODEL", "@cf/a/m")
}

#[tokio::test]
async fn it_only_proposes_and_says_why() {
    let (url, asked) = serve().await;
    let home = home(&url, "");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    for mode in ["auto", "selective"] {
        let params = json!({"sessionName": mode, "mode": mode, "content": "note that", "provider": "workers-ai"});
        let result = wire.ask("conductor.message", params).await.expect("a result");
        assert!(result["downgradeReason"].as_str().is_some_and(|why| why.contains("native_tools")), "{result}");
        assert_eq!(result["suggestedActions"][0]["skill"], "write-note", "{result}");
        assert_eq!((&result["mode"], &result["modeRequested"]), (&json!("propose"), &json!(mode)), "{result}");
    }
    assert!(home.notes().is_empty(), "nothing ran");
    let asked = asked.lock().expect("nobody panics with it");
    let line = "POST /client/v4/accounts/abc123/ai/run/@cf/a/m HTTP/1.1";
    assert!(asked.iter().all(|(asked, _)| asked == line), "{asked:?}");
}

#[tokio::test]
async fn calls_without_ids_are_run_and_answered_once_tools_are_allowed() {
    let (url, asked) = serve().await;
    let home = home(&url, "[workers_ai]\nnative_tools = true");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let params = json!({"sessionName": "s", "mode": "auto", "content": "note that", "stream": true});
    let result = wire.ask("conductor.message", params).await.expect("a result");
    assert_eq!((&result["providerUsed"], result.get("downgradeReason")), (&json!("workers-ai"), None), "{result}");
    assert_eq!(home.notes(), [json!({"text": "quince"})]);
    let asked = asked.lock().expect("nobody panics with it");
    let messages = asked.last().expect("a request").1["messages"].as_array().expect("messages").clone();
    let (call, answer) = (&messages[2], &messages[3]);
    assert_eq!((&call["role"], &call["content"]), (&json!("assistant"), &json!("")), "{call}");
    assert_eq!((&answer["role"], &answer["name"]), (&json!("tool"), &json!("write-note")), "{answer}");
    assert!(call["tool_calls"][0]["id"].as_str().is_some_and(|id| id.starts_with("call_")), "{call}");
    assert_eq!(call["tool_calls"][0]["id"], answer["tool_call_id"]);
    assert!(!format!("{:?}", wire.seen).contains(TOKEN), "the token shows");
}
