//! What the chat skills of the gateway take beside what all chat skills take.

use serde_json::{Value, json};

/// The option that holds a vendor's key.
pub(super) const KEY: &str = "providerApiKey";

pub(super) fn schema() -> Value {
    let told = |kind: &str, about: &str| json!({ "type": kind, "description": about });
    let count = |minimum: u64, about: &str| json!({ "type": "integer", "minimum": minimum, "description": about });
    json!({
        "forceCompat": told("boolean", "skip the run path and ask over the compat REST path"),
        "providerKeyRef": told("string", "the name (alias) of the vendor's key that is stored in the gateway"),
        // Without a type here a wrong one is refused in words that do not quote it.
        KEY: {
            "description": "the vendor's own key, a string, for this call only; it is kept nowhere",
            "writeOnly": true,
        },
        "cacheTtl": count(0, "seconds that the gateway may keep the answer: 0 for never, or 60 to 2592000"),
        "skipCache": told("boolean", "do not answer from the gateway's cache"),
        "cacheKey": told("string", "under which the gateway keeps the answer, in place of the request itself"),
        "metadata": {
            "type": "object",
            "maxProperties": 5,
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
            "description": "what the gateway's log has beside the request",
        },
        "requestTimeoutMs": count(1, "how long the gateway waits for the vendor's first byte"),
        "collectLog": told("boolean", "whether the gateway logs this call"),
        "collectLogPayload": told("boolean", "whether that log has the texts"),
        "eventId": told("string", "an id of your own in the gateway's log"),
        "customCost": {
            "type": "object",
            "additionalProperties": { "type": "number", "minimum": 0 },
            "description": "what the call counts as in the gateway's log, in US dollars: perTokenIn and perTokenOut, or totalCost",
        },
        "zdr": told("boolean", "only vendors that retain nothing; needs Unified Billing"),
        "noWholesale": told("boolean", "never let Cloudflare bill the call; the default unless Unified Billing is on"),
    })
}
