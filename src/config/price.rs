//! `[[price]]`: what a model costs, in US dollars for a million tokens.

use super::file::Entry;
use super::settings::dollars;
use super::{ConfigError, Price};

const KEYS: [&str; 6] = ["provider", "model", "input", "output", "cached_input", "cache_write"];

/// Takes the whole array of tables.
pub(super) fn read(array: &Entry<'_>) -> Result<Vec<Price>, ConfigError> {
    array.elements("an array of tables, each begun with [[price]]")?.iter().map(read_one).collect()
}

fn read_one(table: &Entry<'_>) -> Result<Price, ConfigError> {
    let mut price =
        Price { provider: None, model: String::new(), input: 0, output: 0, cached_input: None, cache_write: None };
    let mut given = Vec::new();
    for entry in table.table()? {
        match entry.key {
            "provider" => price.provider = Some(entry.text()?),
            "model" => price.model = model(&entry)?,
            "input" => price.input = amount(&entry)?,
            "output" => price.output = amount(&entry)?,
            "cached_input" => price.cached_input = Some(amount(&entry)?),
            "cache_write" => price.cache_write = Some(amount(&entry)?),
            _ => return Err(entry.unknown(KEYS)),
        }
        given.push(entry.key);
    }
    match ["model", "input", "output"].into_iter().find(|key| !given.contains(key)) {
        Some(missing) => Err(table.fault(&format!("lacks {missing}"))),
        None => Ok(price),
    }
}

fn model(entry: &Entry<'_>) -> Result<String, ConfigError> {
    let model = entry.text()?;
    if model.is_empty() {
        return Err(entry.fault("must name a model; a * stands for any characters"));
    }
    Ok(model)
}

fn amount(entry: &Entry<'_>) -> Result<u64, ConfigError> {
    if !entry.is_number() {
        return Err(entry.fault("must be a number: US dollars for a million tokens"));
    }
    dollars(&entry.json()?.to_string()).map_err(|what| entry.fault(&what))
}
