//! The options of a call, as its caller and the settings give them, made into what the gateway is told.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::GatewaySettings;
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};

/// Some of these end up in the gateway's log, and none has a use for more.
const MAX_TEXT: usize = 2048;
/// What the gateway takes of metadata.
const MAX_METADATA: usize = 5;
/// In seconds: a minute and thirty days.
const CACHE_TTL: std::ops::RangeInclusive<u64> = 60..=30 * 24 * 60 * 60;

const CACHE: HeaderName = HeaderName::from_static("cf-aig-cache-ttl");
const COLLECT_LOG: HeaderName = HeaderName::from_static("cf-aig-collect-log");
const NO_WHOLESALE: HeaderName = HeaderName::from_static("cf-aig-no-wholesale");
const MAX_ATTEMPTS: HeaderName = HeaderName::from_static("cf-aig-max-attempts");

/// The text of a header, nothing if it need not be sent, or what the value must be.
type Read = fn(&Value) -> Result<Option<String>, &'static str>;

/// Those that are a header each.
const HEADERS: [(&str, HeaderName, Read); 11] = [
    ("cacheTtl", CACHE, cache_ttl),
    ("skipCache", HeaderName::from_static("cf-aig-skip-cache"), flag_if_set),
    ("cacheKey", HeaderName::from_static("cf-aig-cache-key"), text),
    ("metadata", HeaderName::from_static("cf-aig-metadata"), metadata),
    ("requestTimeoutMs", HeaderName::from_static("cf-aig-request-timeout"), millis),
    ("collectLog", COLLECT_LOG, flag),
    ("collectLogPayload", HeaderName::from_static("cf-aig-collect-log-payload"), flag),
    ("eventId", HeaderName::from_static("cf-aig-event-id"), text),
    ("customCost", HeaderName::from_static("cf-aig-custom-cost"), custom_cost),
    ("zdr", HeaderName::from_static("cf-aig-zdr"), flag),
    ("noWholesale", NO_WHOLESALE, flag_if_set),
];

#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) force_compat: bool,
    /// The name under which a key is stored with the gateway.
    pub(super) key_ref: Option<HeaderValue>,
    /// The vendor's own key.
    pub(super) api_key: Option<Secret>,
    pub(super) headers: HeaderMap,
}

impl Options {
    /// Those of other plugins are passed over.
    pub(super) fn read(given: &Map<String, Value>, settings: &GatewaySettings) -> Result<Self, ProviderError> {
        let mut headers = defaults(settings);
        for (name, header, read) in HEADERS {
            let Some(value) = given.get(name).filter(|value| !value.is_null()) else { continue };
            if let Some(text) = read(value).map_err(|must| wrong(name, must))? {
                headers.insert(header, header_value(name, &text)?);
            }
        }
        check_billing(given, settings)?;
        let key_ref = string(given, "providerKeyRef")?;
        let api_key = string(given, "providerApiKey")?;
        api_key.as_deref().map(|key| header_value("providerApiKey", key)).transpose()?;
        Ok(Self {
            force_compat: match given.get("forceCompat") {
                None | Some(Value::Null) => false,
                Some(value) => value.as_bool().ok_or_else(|| wrong("forceCompat", "true or false"))?,
            },
            key_ref: key_ref.map(|name| header_value("providerKeyRef", &name)).transpose()?,
            api_key: api_key.map(Secret::new),
            headers,
        })
    }
}

/// What holds for every call. The daemon asks again itself; both together would multiply.
fn defaults(settings: &GatewaySettings) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(MAX_ATTEMPTS, HeaderValue::from_static("1"))]);
    if !settings.unified_billing {
        headers.insert(NO_WHOLESALE, HeaderValue::from_static("true"));
    }
    if let Some(ttl) = settings.cache_ttl {
        let seconds = if ttl.is_zero() { 0 } else { ttl.as_secs().clamp(*CACHE_TTL.start(), *CACHE_TTL.end()) };
        headers.insert(CACHE, HeaderValue::from(seconds));
    }
    if let Some(collect) = settings.collect_log {
        headers.insert(COLLECT_LOG, HeaderValue::from_static(if collect { "true" } else { "false" }));
    }
    headers
}

/// Nobody is billed who did not ask for it in the configuration.
fn check_billing(given: &Map<String, Value>, settings: &GatewaySettings) -> Result<(), ProviderError> {
    let is = |name: &str, wanted: bool| given.get(name).and_then(Value::as_bool) == Some(wanted);
    let needs = match () {
        () if settings.unified_billing => return Ok(()),
        () if is("zdr", true) => "zdr",
        () if is("noWholesale", false) => "noWholesale: false",
        () => return Ok(()),
    };
    let message = format!("the option {needs} needs Cloudflare's Unified Billing, which is not allowed here");
    Err(ProviderError::new(ErrorKind::InvalidRequest, message)
        .with_hint("set unified_billing = true under [cf_ai_gateway] to let Cloudflare bill calls without a key"))
}

/// Nothing if it is blank: an empty key is worse than none.
fn string(given: &Map<String, Value>, name: &str) -> Result<Option<String>, ProviderError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(name, "a string")),
    }
}

fn header_value(name: &str, text: &str) -> Result<HeaderValue, ProviderError> {
    if text.len() > MAX_TEXT {
        return Err(wrong(name, "shorter: it is sent as a header"));
    }
    HeaderValue::from_str(text).map_err(|_| wrong(name, "plain ASCII without line breaks: it is sent as a header"))
}

fn text(value: &Value) -> Result<Option<String>, &'static str> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| Some(text.to_owned())).ok_or("a string that is not empty")
}

fn flag(value: &Value) -> Result<Option<String>, &'static str> {
    value.as_bool().map(|on| Some(on.to_string())).ok_or("true or false")
}

fn flag_if_set(value: &Value) -> Result<Option<String>, &'static str> {
    flag(value).map(|text| text.filter(|text| text == "true"))
}

fn millis(value: &Value) -> Result<Option<String>, &'static str> {
    let number = value.as_u64().filter(|number| *number > 0);
    number.map(|number| Some(number.to_string())).ok_or("a whole number of milliseconds, at least 1")
}

fn cache_ttl(value: &Value) -> Result<Option<String>, &'static str> {
    let seconds = value.as_u64().filter(|seconds| *seconds == 0 || CACHE_TTL.contains(seconds));
    seconds.map(|seconds| Some(seconds.to_string())).ok_or("0, or a whole number of seconds from 60 to 2592000")
}

fn metadata(value: &Value) -> Result<Option<String>, &'static str> {
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    let fits = |map: &&Map<String, Value>| map.len() <= MAX_METADATA && map.values().all(plain);
    let map = value.as_object().filter(fits).ok_or("an object of at most five strings, numbers or booleans")?;
    Ok((!map.is_empty()).then(|| ascii(&Value::Object(map.clone()))))
}

/// Names are given as in the rest of the input, and sent as the gateway has them.
fn custom_cost(value: &Value) -> Result<Option<String>, &'static str> {
    const MUST: &str = "an object of costs in US dollars: perTokenIn and perTokenOut, or totalCost";
    let costs = value.as_object().filter(|costs| !costs.is_empty()).ok_or(MUST)?;
    if !costs.values().all(|cost| cost.as_f64().is_some_and(|cost| cost >= 0.0)) {
        return Err(MUST);
    }
    let renamed = costs.iter().map(|(name, cost)| (snake_case(name), cost.clone()));
    Ok(Some(ascii(&Value::Object(renamed.collect()))))
}

fn snake_case(name: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_uppercase() {
        true => format!("_{}", letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    name.chars().map(letter).collect()
}

/// JSON that any header can hold.
fn ascii(value: &Value) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for letter in value.to_string().chars() {
        match letter.is_ascii() && letter != '\u{7f}' {
            true => text.push(letter),
            false => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }),
        }
    }
    text
}

/// The value itself is not quoted: it may be a secret.
fn wrong(name: &str, must: &str) -> ProviderError {
    ProviderError::new(ErrorKind::InvalidRequest, format!("the option {name} must be {must}"))
}
