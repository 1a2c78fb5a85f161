//! The servers that people run at home, where they listen unless told otherwise, and by what they are known.

use reqwest::header::{HeaderMap, SERVER};
use serde_json::Value;

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub port: u16,
    /// Any of them will do: versions differ, and a key may keep some from being seen.
    pub signs: &'static [Sign],
}

/// What is answered at a path.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    pub path: &'static str,
    mark: Mark,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    /// There is something at this place of the JSON.
    Has(&'static str),
    /// This text stands at this place of the JSON.
    Says(&'static str, &'static str),
    /// What the server calls itself.
    Server(&'static str),
}

pub const TABLE: &[Row] = &[
    Row {
        name: "Ollama",
        port: 11434,
        signs: &[sign("/api/version", Mark::Has("/version")), sign("/api/tags", Mark::Has("/models"))],
    },
    Row { name: "LM Studio", port: 1234, signs: &[sign("/api/v0/models", Mark::Says("/object", "list"))] },
    Row {
        name: "vLLM",
        port: 8000,
        signs: &[sign("/version", Mark::Has("/version")), sign("/v1/models", Mark::Says("/data/0/owned_by", "vllm"))],
    },
    Row {
        name: "llama.cpp",
        port: 8080,
        signs: &[sign("/health", Mark::Server("llama.cpp")), sign("/props", Mark::Has("/default_generation_settings"))],
    },
];

const fn sign(path: &'static str, mark: Mark) -> Sign {
    Sign { path, mark }
}

impl Sign {
    pub fn is_in(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let json = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        match self.mark {
            Mark::Has(pointer) => json().pointer(pointer).is_some(),
            Mark::Says(pointer, text) => json().pointer(pointer).is_some_and(|value| value == text),
            Mark::Server(name) => headers.get(SERVER).is_some_and(|server| server == name),
        }
    }
}
