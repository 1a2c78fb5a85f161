//! `admin-suggest-plugins`: which plugins a goal speaks of, by rows of words.

use serde_json::{Value, json};

use super::Runtime;

struct Row {
    plugin: &'static str,
    /// Beginnings of words, in lower case.
    words: &'static [&'static str],
    why: &'static str,
    needs: &'static [&'static str],
}

/// The earlier of two that fit equally well comes first.
const ROWS: &[Row] = &[
    Row {
        plugin: "cloudflare",
        words: &["cloudflare", "dns", "zone", "domain", "record", "nameserver", "cdn"],
        why: "Reads the zones and DNS records of a Cloudflare account.",
        needs: &["CLOUDFLARE_API_TOKEN"],
    },
    Row {
        plugin: "anthropic",
        words: &[
            "anthropic",
            "claude",
            "model",
            "llm",
            "chat",
            "agent",
            "reason",
            "writ",
            "summar",
            "cod",
            "tool",
            "ai",
        ],
        why: "Answers with the Claude models, and uses skills in all three modes.",
        needs: &["ANTHROPIC_API_KEY"],
    },
    Row {
        plugin: "openai-compatible",
        words: &[
            "openai", "local", "ollama", "llama", "vllm", "lmstudio", "privat", "self", "model", "llm", "chat", "ai",
        ],
        why: "Answers with any server that speaks the OpenAI chat API, on this machine or elsewhere.",
        needs: &["OPENAI_COMPATIBLE_URL"],
    },
    Row {
        plugin: "cf-ai-gateway",
        words: &["gateway", "fallback", "vendor", "rout", "cache", "observab", "cloudflare", "model"],
        why: "Reaches the models of many vendors through one gateway, with fallbacks between them.",
        needs: &["AI_GATEWAY_ID", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN or AI_GATEWAY_AUTH_TOKEN"],
    },
    Row {
        plugin: "workers-ai",
        words: &["worker", "edge", "cheap", "open-weight", "cloudflare", "model"],
        why: "Answers with the open models that run at Cloudflare.",
        needs: &["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"],
    },
    Row {
        plugin: "codex",
        words: &["codex", "chatgpt", "subscription", "openai", "gpt", "repo", "refactor", "cod"],
        why: "Answers with OpenAI's models, by an API key or by the ChatGPT account of the Codex CLI.",
        needs: &["OPENAI_API_KEY or CODEX_HOME"],
    },
    Row {
        plugin: "command",
        words: &[
            "script", "program", "command", "shell", "automat", "deploy", "run", "backup", "cron", "skill", "tool",
        ],
        why: "Makes a skill of any program on this machine.",
        needs: &["[[skill]]"],
    },
    Row {
        plugin: "admin",
        words: &["health", "diagnos", "config", "setting", "setup", "status", "plugin", "cost", "spen", "budget"],
        why: "Says what this runtime is set up with, whether it is well, and what calls of models have cost.",
        needs: &[],
    },
    Row {
        plugin: "offline",
        words: &["offline", "test", "network", "determin"],
        why: "Finds and runs skills by the words of a request, without a model or a network.",
        needs: &[],
    },
];

/// What helps with most goals, when the words of this one say nothing.
const OTHERWISE: [&str; 3] = ["anthropic", "openai-compatible", "command"];

const MAX_SUGGESTIONS: usize = 4;

/// Only plugins that this runtime has are suggested.
pub(super) fn run(runtime: &Runtime, input: &Value) -> Value {
    let goal = input["goal"].as_str().unwrap_or_default();
    let lower = goal.to_lowercase();
    let said: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
    let mut fitting: Vec<_> = ROWS.iter().map(|row| (row.score(&said), row)).filter(|(score, _)| *score > 0).collect();
    fitting.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let mut suggestions: Vec<_> = fitting.iter().filter_map(|(_, row)| row.shown(runtime)).collect();
    if suggestions.is_empty() {
        let rows = ROWS.iter().filter(|row| OTHERWISE.contains(&row.plugin));
        suggestions = rows.filter_map(|row| row.shown(runtime)).collect();
    }
    suggestions.truncate(MAX_SUGGESTIONS);
    json!({ "goal": goal, "suggestions": suggestions })
}

impl Row {
    /// How many of its words are said. Two letters are a whole word, not the beginning of one.
    fn score(&self, said: &[&str]) -> usize {
        let is_said = |word: &&&str| match word.len() {
            0..=2 => said.contains(word),
            _ => said.iter().any(|saying| saying.starts_with(**word)),
        };
        self.words.iter().filter(is_said).count()
    }

    fn shown(&self, runtime: &Runtime) -> Option<Value> {
        let fact = runtime.facts.iter().find(|fact| fact.id == self.plugin)?;
        Some(json!({
            "plugin": self.plugin,
            "why": self.why,
            "needs": self.needs,
            "configured": fact.is_configured(),
        }))
    }
}
