//! A model as people name it, `vendor/model-name`, and as each door wants it named.

use std::fmt;

use super::doors::Door;
use super::vendors::{VENDORS, Vendor};
use crate::config::nearest;
use crate::model::{ErrorKind, ProviderError};

/// Names are not that long; what is may be a whole conversation in the wrong place.
const MAX_NAME: usize = 256;
/// Routes that are drawn in the dashboard, by their name.
const DYNAMIC: &str = "dynamic";
/// How the names of providers begin that an account has added itself.
pub const CUSTOM: &str = "custom-";
const WORKERS_AI: &str = "workers-ai";

#[derive(Clone, Debug, PartialEq)]
pub struct ModelId {
    pub(super) owner: Owner,
    /// As its vendor names it.
    name: String,
}

#[derive(Clone, Copy)]
pub(super) struct Known(pub(super) &'static Vendor);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Owner {
    Vendor(Known),
    Route,
    /// With its whole prefix.
    Custom(String),
}

impl ModelId {
    pub fn parse(text: &str) -> Result<Self, ProviderError> {
        let text = text.trim();
        // Those of Workers AI are known by their first letter.
        let (vendor, name) = match text.split_once('/') {
            _ if text.starts_with('@') => (WORKERS_AI, text),
            Some((vendor, name)) => (vendor, name.trim()),
            None => return Err(no_vendor(text)),
        };
        let lower = vendor.to_ascii_lowercase();
        let owner = if lower == DYNAMIC {
            Owner::Route
        } else if is_custom(&lower) {
            Owner::Custom(lower)
        } else {
            Owner::Vendor(Known(Vendor::find(vendor).ok_or_else(|| unknown(vendor))?))
        };
        let name = match owner.vendor().and_then(|vendor| vendor.begin) {
            Some((mark, begin)) if !name.contains(mark) => format!("{begin}{name}"),
            _ => name.to_owned(),
        };
        if text.ends_with('/') || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(invalid(format!("'{}' names no model: it must be provider/model-name", shown(text))));
        }
        Ok(Self { owner, name })
    }

    /// The same, if the model can hold a conversation.
    pub fn for_chat(text: &str) -> Result<Self, ProviderError> {
        let id = Self::parse(text)?;
        match id.vendor().and_then(|vendor| vendor.not_chat) {
            None => Ok(id),
            Some(purpose) => {
                let vendor = id.owner.prefix();
                let message =
                    format!("{vendor} is not a chat provider: what it offers through the gateway is {purpose}");
                Err(invalid(message).with_hint("`cf-gateway-list-providers` tells which vendors can chat"))
            }
        }
    }

    /// Whether a key for the one is a key for the other.
    pub fn shares_vendor(&self, other: &Self) -> bool {
        self.owner == other.owner
    }

    pub(super) fn vendor(&self) -> Option<&'static Vendor> {
        self.owner.vendor()
    }

    /// What it is called at a door; none where it is not known.
    pub(super) fn at(&self, door: Door) -> Option<String> {
        let prefixed = |prefix: &str| match prefix {
            "" => self.name.clone(),
            _ => format!("{prefix}/{}", self.name),
        };
        match (door, self.vendor()) {
            (Door::Compat, None) => Some(self.to_string()),
            (Door::Compat, Some(vendor)) => vendor.compat.map(prefixed),
            (Door::Native, Some(vendor)) => vendor.native.map(|_| self.name.clone()),
            (_, Some(vendor)) if vendor.run == Some(door) => vendor.author.map(prefixed),
            _ => None,
        }
    }
}

impl Owner {
    fn vendor(&self) -> Option<&'static Vendor> {
        match self {
            Self::Vendor(known) => Some(known.0),
            Self::Route | Self::Custom(_) => None,
        }
    }

    fn prefix(&self) -> &str {
        match self {
            Self::Vendor(known) => known.0.id,
            Self::Route => DYNAMIC,
            Self::Custom(prefix) => prefix,
        }
    }
}

/// As we write it, whatever it was written like.
impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner.prefix(), self.name)
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

/// What may stand before the `/`; an account's own providers come on top.
pub fn spellings() -> impl Iterator<Item = &'static str> {
    VENDORS.iter().flat_map(Vendor::spellings).chain(["@cf", "@hf", DYNAMIC])
}

fn is_custom(prefix: &str) -> bool {
    let fits = |slug: &str| !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    prefix.strip_prefix(CUSTOM).is_some_and(fits)
}

fn no_vendor(text: &str) -> ProviderError {
    let message = format!("'{}' lacks its vendor: models of the gateway are named provider/model-name", shown(text));
    invalid(message).with_hint("as in anthropic/claude-opus-4-6; `cf-gateway-list-providers` lists the providers")
}

fn unknown(vendor: &str) -> ProviderError {
    let known: Vec<&str> = spellings().collect();
    let error = invalid(format!("the gateway has no provider '{}'", shown(vendor)));
    let ids = || VENDORS.iter().map(|vendor| vendor.id).collect::<Vec<_>>().join(", ");
    match nearest(vendor, &known) {
        Some(near) => error.with_hint(format!("did you mean {near}?")),
        None => error.with_hint(format!("the providers are {}, custom-<slug> and dynamic", ids())),
    }
}

fn invalid(message: String) -> ProviderError {
    ProviderError::new(ErrorKind::InvalidRequest, message)
}

/// Somebody else's text in a sentence of ours.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}
