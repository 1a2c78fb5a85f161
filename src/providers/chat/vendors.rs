//! What single vendors want otherwise than the rest. A new one is a row.

/// How one vendor's reading of the dialect differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vendor {
    /// The end of its host's name.
    host: &'static str,
    /// `max_completion_tokens` instead of `max_tokens`, which its newer models refuse.
    pub(super) completion_limit: bool,
    /// Whether usage has to be asked for in a stream, and may be.
    pub(super) stream_options: bool,
    /// Call ids must be nine letters or digits.
    pub(super) short_ids: bool,
    /// An assistant's content must be a text, be it an empty one, where others take none.
    pub(super) always_content: bool,
}

const USUAL: Vendor =
    Vendor { host: "", completion_limit: false, stream_options: true, short_ids: false, always_content: false };

const VENDORS: [Vendor; 4] = [
    Vendor { host: "api.openai.com", completion_limit: true, ..USUAL },
    Vendor { host: ".openai.azure.com", completion_limit: true, ..USUAL },
    Vendor { host: "api.mistral.ai", stream_options: false, short_ids: true, ..USUAL },
    Vendor { host: "api.cloudflare.com", always_content: true, ..USUAL },
];

pub(super) fn vendor(host: &str) -> Vendor {
    VENDORS.into_iter().find(|vendor| host.ends_with(vendor.host)).unwrap_or(USUAL)
}
