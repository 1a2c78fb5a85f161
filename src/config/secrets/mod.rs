//! Where secrets come from: the value itself, a reference to it, or what `open-think secret put` has kept.
//!
//! A secret that cannot be had stops nothing but what needs it: it is left out, and [`Unresolved`] says why. Nobody is
//! asked before [`Config::load`]; what is merely read shows which kind of reference stands where.

mod bounded;
mod keyring;
mod reference;
mod resolve;
mod store;
#[cfg(test)]
mod tests;
mod words;

pub use keyring::{Keyring, KeyringEntry, KeyringFault};
pub use store::{Keeper, Kept, SecretStore, StoreError};

pub use reference::Reference;

use std::collections::BTreeMap;

use super::Secret;

/// What one of the layers says of a secret.
#[derive(Clone, Debug)]
pub(super) enum Claim {
    Value(Secret),
    Reference(Reference),
}

/// By the names of the settings.
#[derive(Clone, Debug, Default)]
pub struct Claims(pub(super) BTreeMap<&'static str, Claim>);

/// A setting whose secret could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    pub setting: &'static str,
    /// What stands after "ANTHROPIC_API_KEY is not used: ".
    pub why: String,
    /// What mends it, as a sentence.
    pub fix: String,
}

/// Why a secret could not be had, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    why: String,
    fix: String,
}

impl Claim {
    pub(super) fn parse(text: String) -> Result<Self, String> {
        match Reference::parse(&text) {
            Some(reference) => reference.map(Self::Reference),
            None => Secret::checked(text).map(Self::Value),
        }
    }
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not used: {}", self.setting, self.why)
    }
}

impl Fault {
    fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}
