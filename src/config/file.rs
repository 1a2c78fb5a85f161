//! The configuration file as located values: every fault found in it names file, line and path.
//!
//! Which keys there are is for others to say. A message quotes keys and types, never a value or a line of the file.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, ConfigErrorKind};

/// The file's name and text, for the place of a fault.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

/// One value of the file and where it stands.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    source: Source<'a>,
    /// `limits.frame_bytes`, `skill[0].command`.
    path: String,
    /// The last part of the path; empty for an element of an array.
    pub key: &'a str,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Source<'a> {
    pub fn parse(self) -> Result<Spanned<DeTable<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            // Only the message: the error's own text shows the line, which may hold a key.
            let line = self.line(error.span().map_or(0, |span| span.start));
            let what = format!("this is not TOML: {}", error.message());
            ConfigError::in_file(ConfigErrorKind::Syntax, self.path, line, &what)
        })
    }

    pub fn entries(self, table: &'a Spanned<DeTable<'a>>) -> Vec<Entry<'a>> {
        entries(self, "", table.get_ref())
    }

    fn line(self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

impl<'a> Entry<'a> {
    pub fn text(&self) -> Result<String, ConfigError> {
        match self.value {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    pub fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    pub fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let Some(integer) = self.value.as_integer() else { return Err(self.wrong_type("a whole number")) };
        let parsed = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = parsed.and_then(|number| u64::try_from(number).ok()).filter(|number| range.contains(number));
        let bounds = || format!("must be a whole number from {} to {}", range.start(), range.end());
        fitting.ok_or_else(|| self.fault(&bounds()))
    }

    /// An array of strings.
    pub fn texts(&self) -> Result<Vec<String>, ConfigError> {
        self.elements("an array of strings")?.iter().map(Self::text).collect()
    }

    pub fn elements(&self, expected: &str) -> Result<Vec<Self>, ConfigError> {
        let DeValue::Array(array) = self.value else { return Err(self.wrong_type(expected)) };
        let element = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| {
            let path = format!("{}[{index}]", self.path);
            Self { source: self.source, path, key: "", span: value.span(), value: value.get_ref() }
        };
        Ok(array.iter().enumerate().map(element).collect())
    }

    pub fn table(&self) -> Result<Vec<Self>, ConfigError> {
        match self.value {
            DeValue::Table(table) => Ok(entries(self.source, &self.path, table)),
            _ => Err(self.wrong_type("a table")),
        }
    }

    pub fn is_text(&self) -> bool {
        self.value.is_str()
    }

    pub fn is_number(&self) -> bool {
        matches!(self.value, DeValue::Integer(_) | DeValue::Float(_))
    }

    pub fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// As JSON; a date becomes its text.
    pub fn json(&self) -> Result<serde_json::Value, ConfigError> {
        Ok(match self.value {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Boolean(value) => (*value).into(),
            DeValue::Datetime(date) => date.to_string().into(),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| self.fault("is a number beyond 64 bits"))?
                .into(),
            DeValue::Float(float) => float
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .ok_or_else(|| self.fault("is a number that JSON does not have"))?
                .into(),
            DeValue::Array(_) => self.elements("an array")?.iter().map(Self::json).collect::<Result<_, _>>()?,
            DeValue::Table(_) => {
                let members = self.table()?;
                let pairs = members.iter().map(|entry| Ok((entry.key.to_owned(), entry.json()?)));
                pairs.collect::<Result<serde_json::Map<_, _>, ConfigError>>()?.into()
            }
        })
    }

    pub fn fault(&self, what: &str) -> ConfigError {
        self.error(ConfigErrorKind::Value, &format!("{} {what}", self.path))
    }

    /// `known` are the keys that may stand in its place.
    pub fn unknown<'k>(&self, known: impl IntoIterator<Item = &'k str>) -> ConfigError {
        let known: Vec<&str> = known.into_iter().collect();
        self.unknown_but(&super::nearest::advice(self.key, &known))
    }

    pub fn unknown_but(&self, advice: &str) -> ConfigError {
        self.error(ConfigErrorKind::UnknownKey, &format!("unknown key {}: {advice}", self.path))
    }

    fn wrong_type(&self, expected: &str) -> ConfigError {
        self.fault(&format!("must be {expected}, not {}", name_of(self.value)))
    }

    fn error(&self, kind: ConfigErrorKind, what: &str) -> ConfigError {
        ConfigError::in_file(kind, self.source.path, self.source.line(self.span.start), what)
    }
}

/// In the order in which they stand in the file.
fn entries<'a>(source: Source<'a>, parent: &str, table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let entry = |(key, value): (&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
        let name: &'a str = key.get_ref().as_ref();
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        Entry { source, path, key: name, span: key.span(), value: value.get_ref() }
    };
    let mut entries: Vec<Entry<'a>> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.span.start);
    entries
}

fn name_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
