//! Lines of `curl` as they are given to people, run word for word by the real one: those of the page that describes the
//! system, and those of the README.
//!
//! The page has `https://<worker>` where the address is; the token comes from the configuration file of `curl`.

use std::process::Stdio;

use serde_json::Value;

use crate::gateway;
use crate::home::Home;
use crate::site::Site;

const INVOKE: &str = r#"curl -X POST https://<worker>/skills/invoke/cf-gateway-chat \
  -H 'content-type: application/json' \
  -d '{
    "input": {
      "model": "anthropic/claude-opus-4-6",
      "messages": [{"role": "user", "content": "hi"}]
    }
  }'"#;

const MESSAGE: &str = r#"curl -X POST https://<worker>/conductor/message \
  -H 'content-type: application/json' \
  -d '{
    "content": "what zones do I have?",
    "provider": "cf-ai-gateway",
    "model": "anthropic/claude-haiku-4-5",
    "mode": "auto"
  }'"#;

/// What it prints; `TOKEN` is set as well.
async fn run(site: &Site, line: &str) -> String {
    let line = line.replace("https://<worker>", &format!("http://{}", site.address));
    std::fs::write(site.home.path().join(".curlrc"), format!("header = \"{}\"\nsilent\n", site.bearer()))
        .expect("a file");
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["-c", &line]).env("HOME", site.home.path()).env("CURL_HOME", site.home.path());
    let output = bash.env("TOKEN", &site.token).stdin(Stdio::null()).output().await.expect("a shell");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn the_lines_of_the_page_work_as_they_are() {
    let url = gateway::serve().await;
    let home = Home::with("[http]\nmax_retries = 0")
        .set("AI_GATEWAY_ID", "my-gateway")
        .set("CLOUDFLARE_ACCOUNT_ID", "acct")
        .set("CLOUDFLARE_API_TOKEN", "cf-api-token-secret")
        .set("CF_AI_GATEWAY_BASE_URL", &url)
        .set("CLOUDFLARE_API_BASE_URL", &format!("{url}/client/v4"));
    let site = Site::at(home).await;
    let answer = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let invoked = answer(run(&site, INVOKE).await);
    assert!(invoked["ok"] == true && invoked["data"]["text"].is_string(), "{invoked}");
    let said = answer(run(&site, MESSAGE).await);
    assert!(said["ok"] == true && said["data"]["providerUsed"] == "cf-ai-gateway", "{said}");
    assert_eq!(said["data"]["attempts"][0]["model"], "anthropic/claude-haiku-4-5", "{said}");
    assert_eq!(
        (&said["data"]["mode"], said["data"]["trace"][0]["ok"].as_bool()),
        (&"auto".into(), Some(true)),
        "{said}"
    );
    let refused = answer(run(&site, &MESSAGE.replace("curl", "curl -q -s")).await);
    assert_eq!(refused["code"], "E_UNAUTHORIZED", "without the token: {refused}");
    site.stop().await;
}

#[tokio::test]
async fn the_lines_of_the_readme_work_as_they_are() {
    let site = Site::start("").await;
    let readme = std::fs::read_to_string(format!("{}/README.md", env!("CARGO_MANIFEST_DIR"))).expect("it is there");
    let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() >= 3, "{lines:?}");
    for line in lines {
        assert!(line.contains("http://127.0.0.1:7878/"), "{line}");
        // Without what stands in for the header.
        let line = line.replace("curl ", "curl -q -sS ").replace("127.0.0.1:7878", &site.address);
        let shown = run(&site, &line).await;
        let good = shown.contains("\"ok\": true") || shown.contains("event: result") || shown.contains("\"result\":");
        assert!(good || shown.contains("open_think_uptime_seconds"), "{line}: {shown}");
    }
    site.stop().await;
}
