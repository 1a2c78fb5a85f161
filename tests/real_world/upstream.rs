//! A model's API on this machine, served by `node/upstream.mjs`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::home::Home;
use crate::node;

pub struct Upstream {
    process: Child,
    answers: BufReader<ChildStdout>,
    url: String,
}

/// The wire formats that it speaks, and the two paths of the AI gateway, for which it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
    GatewayRun,
    GatewayCompat,
    Responses,
    /// Responses, as behind ChatGPT subscriptions.
    ChatGpt,
}

pub const DIALECTS: [Dialect; 6] = [
    Dialect::OpenAi,
    Dialect::Anthropic,
    Dialect::GatewayRun,
    Dialect::GatewayCompat,
    Dialect::Responses,
    Dialect::ChatGpt,
];

impl Upstream {
    /// None where there is no Node.
    pub fn start(home: &Home) -> Option<Self> {
        let mut script = node::script(home, "upstream.mjs")?;
        let mut process = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts");
        let mut answers = BufReader::new(process.stdout.take().expect("its output is piped"));
        let url = read(&mut answers)["url"].as_str().expect("it says where it listens").to_owned();
        Some(Self { process, answers, url })
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Points a daemon here and nowhere else.
    pub fn configure(&self, daemon: &mut Command, dialect: Dialect) {
        match dialect {
            Dialect::OpenAi => daemon
                .env("OPENAI_COMPATIBLE_URL", format!("{}/v1", self.url))
                .env("OPENAI_COMPATIBLE_KEY", "sk-test")
                .env("OPENAI_COMPATIBLE_DEFAULT_MODEL", "test-model"),
            Dialect::Anthropic => daemon
                .env("ANTHROPIC_BASE_URL", &self.url)
                .env("ANTHROPIC_API_KEY", "sk-test")
                .env("ANTHROPIC_DEFAULT_MODEL", "test-model"),
            Dialect::GatewayRun => self.configure_gateway(daemon).env("CLOUDFLARE_API_TOKEN", "sk-test"),
            Dialect::GatewayCompat => self.configure_gateway(daemon).env("AI_GATEWAY_AUTH_TOKEN", "sk-test"),
            Dialect::Responses => daemon
                .env("OPENAI_BASE_URL", format!("{}/v1", self.url))
                .env("OPENAI_API_KEY", "sk-test")
                .env("CODEX_DEFAULT_MODEL", "test-model"),
            Dialect::ChatGpt => daemon
                .env("CODEX_BACKEND_URL", format!("{}/backend-api/codex", self.url))
                .env("CODEX_ACCESS_TOKEN", "sk-test")
                .env("CODEX_DEFAULT_MODEL", "test-model"),
        };
    }

    fn configure_gateway<'a>(&self, daemon: &'a mut Command) -> &'a mut Command {
        daemon
            .env("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", self.url))
            // Below a prefix: what begins with /v1 is its own.
            .env("CF_AI_GATEWAY_BASE_URL", format!("{}/gateway", self.url))
            .env("CLOUDFLARE_ACCOUNT_ID", "account")
            .env("AI_GATEWAY_ID", "gateway")
            .env("CF_AI_GATEWAY_DEFAULT_MODEL", "openai/test-model")
    }

    /// What it was asked so far, in order: the path and the body, the latter in the shape of chat completions.
    pub fn requests(&mut self) -> Vec<Value> {
        let stdin = self.process.stdin.as_mut().expect("its input is piped");
        stdin.write_all(b"\n").expect("it listens");
        read(&mut self.answers).as_array().expect("a list").clone()
    }
}

impl Dialect {
    pub fn plugin(self) -> &'static str {
        match self {
            Self::OpenAi => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::GatewayRun | Self::GatewayCompat => "cf-ai-gateway",
            Self::Responses | Self::ChatGpt => "codex",
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(answers: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).expect("it answers");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}
