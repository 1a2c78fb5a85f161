//! A value that never prints.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Wiped from memory when dropped; `Debug` and `Display` print `***`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// No key is longer, in bytes.
    pub(super) const LONGEST: usize = 64 * 1024;

    /// Keys travel in HTTP headers, and a stray character there would fail far from its cause. The error does not quote.
    pub fn checked(value: String) -> Result<Self, String> {
        if value.len() > Self::LONGEST {
            return Err(format!("is longer than {} KiB, which no key is", Self::LONGEST / 1024));
        }
        if value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self::new(value));
        }
        Err("holds a space, a control character or a letter outside ASCII, which no key does".to_owned())
    }

    /// For the one place that puts it on the wire.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
