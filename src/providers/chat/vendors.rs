//! What single vendors want otherwise than the rest. A new one is a row.
//!
//! Servers that run anywhere (Ollama, vLLM, LM Studio, llama.cpp, LiteLLM) have no row: what is odd about their answers
//! is read for everybody, and what they take is what everybody takes. DeepSeek, Together and xAI want nothing else.

/// How one vendor's reading of the dialect differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vendor {
    /// The end of its host's name.
    host: &'static str,
    /// Where the API begins on that host, for bases that stop short of it.
    pub(super) home: &'static str,
    /// The header for the key where it is not `Authorization`.
    pub(super) key_header: Option<&'static str>,
    /// `max_completion_tokens` instead of `max_tokens`, which its newer models refuse.
    pub(super) completion_limit: bool,
    /// Whether usage has to be asked for in a stream, and may be.
    pub(super) stream_options: bool,
    /// Call ids must be nine letters or digits.
    pub(super) short_ids: bool,
    /// An assistant's content must be a text, be it an empty one, where others take none.
    pub(super) always_content: bool,
}

const USUAL: Vendor = Vendor {
    host: "",
    home: "/v1",
    key_header: None,
    completion_limit: false,
    stream_options: true,
    short_ids: false,
    always_content: false,
};
const AZURE: Vendor = Vendor { home: "/openai/v1", key_header: Some("api-key"), completion_limit: true, ..USUAL };

const VENDORS: [Vendor; 13] = [
    Vendor { host: "api.openai.com", completion_limit: true, ..USUAL },
    Vendor { host: ".openai.azure.com", ..AZURE },
    Vendor { host: ".cognitiveservices.azure.com", ..AZURE },
    Vendor { host: ".services.ai.azure.com", ..AZURE },
    Vendor { host: "api.mistral.ai", stream_options: false, short_ids: true, ..USUAL },
    Vendor { host: "api.groq.com", home: "/openai/v1", ..USUAL },
    Vendor { host: "api.cohere.ai", home: "/compatibility/v1", ..USUAL },
    Vendor { host: "api.deepinfra.com", home: "/v1/openai", ..USUAL },
    Vendor { host: "api.fireworks.ai", home: "/inference/v1", ..USUAL },
    Vendor { host: "api.perplexity.ai", home: "", ..USUAL },
    Vendor { host: "openrouter.ai", home: "/api/v1", ..USUAL },
    Vendor { host: "generativelanguage.googleapis.com", home: "/v1beta/openai", ..USUAL },
    Vendor { host: "api.cloudflare.com", always_content: true, ..USUAL },
];

pub(super) fn vendor(host: &str) -> Vendor {
    VENDORS.into_iter().find(|vendor| host.ends_with(vendor.host)).unwrap_or(USUAL)
}
