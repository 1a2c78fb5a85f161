//! Who stands behind the gateway: one row a vendor.
//!
//! A vendor has up to three names on the wire: its slug in the gateway's URLs, a prefix on the compat door, and an
//! author on the run path, which has no entry for most. People use others still; all of them are understood.

use super::doors::Door;

pub struct Vendor {
    /// What stands before the `/` when we write it.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Other spellings, beside those of the wire.
    aliases: &'static [&'static str],
    /// In the gateway's own URLs.
    pub slug: Option<&'static str>,
    /// Before the model's name on the compat door.
    pub compat: Option<&'static str>,
    /// Before the model's name on the run path; empty where the name stands alone.
    pub author: Option<&'static str>,
    /// The door of the run path where it chats.
    pub(super) run: Option<Door>,
    /// Under its slug, where chat completions are to be had if the compat door does not know it.
    pub(super) native: Option<&'static str>,
    /// Where the vendor itself wants its key.
    pub key: Key,
    /// Its own API's host, by which the oddities of its chat completions are known.
    pub(super) host: &'static str,
    /// What a name begins with that lacks this character.
    pub(super) begin: Option<(char, &'static str)>,
    /// What it is for instead, if it cannot chat.
    pub not_chat: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub header: &'static str,
    /// What stands before the key.
    pub scheme: &'static str,
    /// Whether the key is the Cloudflare API token itself.
    pub(super) is_cloudflares: bool,
}

const BEARER: Key = header("authorization", "Bearer ");

const fn header(header: &'static str, scheme: &'static str) -> Key {
    Key { header, scheme, is_cloudflares: false }
}

const BASE: Vendor = Vendor {
    id: "",
    name: "",
    aliases: &[],
    slug: None,
    compat: None,
    author: None,
    run: None,
    native: None,
    key: BEARER,
    host: "",
    begin: None,
    not_chat: None,
};

/// On the compat door only, under the name that it has everywhere.
const fn on_compat(id: &'static str, name: &'static str) -> Vendor {
    Vendor { id, name, slug: Some(id), compat: Some(id), ..BASE }
}

/// On both paths, under the name that it has everywhere.
const fn on_both(id: &'static str, name: &'static str) -> Vendor {
    Vendor { author: Some(id), run: Some(Door::Completions), ..on_compat(id, name) }
}

/// On the door that takes every kind of model, and on no other.
const fn on_universal(id: &'static str, name: &'static str, aliases: &'static [&'static str]) -> Vendor {
    Vendor { id, name, aliases, author: Some(id), run: Some(Door::Universal), ..BASE }
}

const fn no_chat(id: &'static str, name: &'static str, key: Key, purpose: &'static str) -> Vendor {
    Vendor { id, name, slug: Some(id), key, not_chat: Some(purpose), ..BASE }
}

const fn also(aliases: &'static [&'static str], vendor: Vendor) -> Vendor {
    Vendor { aliases, ..vendor }
}

/// The two dozen that Cloudflare names first, and after them those that it added.
pub static VENDORS: [Vendor; 29] = [
    Vendor {
        aliases: &["claude"],
        run: Some(Door::Messages),
        key: header("x-api-key", ""),
        ..on_both("anthropic", "Anthropic")
    },
    Vendor { aliases: &["open-ai"], host: "api.openai.com", ..on_both("openai", "OpenAI") },
    Vendor {
        aliases: &["gemini", "google-gemini"],
        author: Some("google"),
        key: header("x-goog-api-key", ""),
        host: "generativelanguage.googleapis.com",
        ..on_both("google-ai-studio", "Google AI Studio")
    },
    Vendor {
        aliases: &["vertex", "vertex-ai", "google-vertex"],
        begin: Some(('/', "google/")),
        ..on_compat("google-vertex-ai", "Google Vertex AI")
    },
    Vendor {
        aliases: &["bedrock", "aws"],
        slug: Some("aws-bedrock"),
        compat: Some("aws-bedrock"),
        ..on_compat("amazon-bedrock", "Amazon Bedrock")
    },
    Vendor {
        aliases: &["azure"],
        key: header("api-key", ""),
        host: "x.openai.azure.com",
        ..on_compat("azure-openai", "Azure OpenAI")
    },
    Vendor { host: "api.groq.com", ..on_both("groq", "Groq") },
    Vendor { host: "api.cerebras.ai", ..on_compat("cerebras", "Cerebras") },
    Vendor { host: "api.cohere.ai", ..on_compat("cohere", "Cohere") },
    Vendor { host: "api.deepseek.com", ..on_both("deepseek", "DeepSeek") },
    Vendor { aliases: &["mistralai", "mistral-ai"], host: "api.mistral.ai", ..on_compat("mistral", "Mistral AI") },
    Vendor {
        aliases: &["open-router"],
        compat: None,
        native: Some("chat/completions"),
        host: "openrouter.ai",
        ..on_compat("openrouter", "OpenRouter")
    },
    Vendor {
        aliases: &["pplx"],
        slug: Some("perplexity-ai"),
        compat: Some("perplexity-ai"),
        host: "api.perplexity.ai",
        ..on_compat("perplexity", "Perplexity")
    },
    Vendor { aliases: &["x-ai"], slug: Some("grok"), compat: Some("grok"), host: "api.x.ai", ..on_both("xai", "xAI") },
    also(
        &["hugging-face"],
        no_chat("huggingface", "Hugging Face", BEARER, "single models behind an interface of their own each"),
    ),
    no_chat("cartesia", "Cartesia", header("x-api-key", ""), "text-to-speech"),
    no_chat("elevenlabs", "ElevenLabs", header("xi-api-key", ""), "speech"),
    also(&["fal-ai"], no_chat("fal", "Fal AI", header("authorization", "Key "), "images and videos")),
    no_chat("deepgram", "Deepgram", header("authorization", "Token "), "speech-to-text and text-to-speech"),
    no_chat("replicate", "Replicate", BEARER, "predictions that are fetched later"),
    Vendor { host: "inference.baseten.co", ..on_compat("baseten", "Baseten") },
    no_chat("ideogram", "Ideogram", header("api-key", ""), "images"),
    Vendor { key: header("x-api-key", ""), ..on_compat("parallel", "Parallel") },
    Vendor {
        aliases: &["workersai", "cloudflare"],
        author: Some(""),
        key: Key { is_cloudflares: true, ..BEARER },
        host: "api.cloudflare.com",
        begin: Some(('@', "@cf/")),
        ..on_both("workers-ai", "Workers AI")
    },
    Vendor {
        aliases: &["fireworks-ai"],
        compat: None,
        native: Some("chat/completions"),
        host: "api.fireworks.ai",
        ..on_compat("fireworks", "Fireworks")
    },
    no_chat("adobe-firefly", "Adobe Firefly", BEARER, "images"),
    on_universal("alibaba", "Alibaba", &["qwen", "dashscope"]),
    on_universal("minimax", "MiniMax", &[]),
    on_universal("z-ai", "Z.AI", &["zai", "z.ai", "zhipu"]),
];

/// How many of them Cloudflare names first.
pub const NAMED_FIRST: usize = 24;

impl Vendor {
    /// Every way to write it before the `/`.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        let wire = [Some(self.id), self.slug, self.compat, self.author.filter(|author| !author.is_empty())];
        let aliases = self.aliases.iter().copied();
        let mut seen = Vec::new();
        for spelling in wire.into_iter().flatten().chain(aliases) {
            if !seen.contains(&spelling) {
                seen.push(spelling);
            }
        }
        seen.into_iter()
    }

    /// However it is cased, and whether its words are parted by hyphens, underscores or blanks.
    pub(super) fn find(spelling: &str) -> Option<&'static Self> {
        let spelling = spelling.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        VENDORS.iter().find(|vendor| vendor.spellings().any(|known| known == spelling))
    }
}
