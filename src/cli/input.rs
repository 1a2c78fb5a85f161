//! What a command is given: words, standard input, `name=value` pairs and JSON.

use std::io::{self, Read};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cli::exit::UsageError;
use crate::cli::terminal::Terminal;

/// The daemon takes no longer message, so nothing longer is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How long something that may be piped in beside a text is waited for. Some programs start others with a pipe that
/// they never write to or close.
const PATIENCE: Duration = Duration::from_secs(2);

/// The whole of standard input as text.
pub fn standard_input() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    text(bytes)
}

/// What is piped in, if anything comes at all.
pub fn piped_input(terminal: &Terminal) -> anyhow::Result<Option<String>> {
    if !is_piped(terminal) {
        return Ok(None);
    }
    let (begun, beginning) = sync_channel(1);
    // A read cannot be stopped; one that nobody waits for ends with the process.
    let reader = std::thread::spawn(move || -> io::Result<Vec<u8>> {
        let mut input = io::stdin().lock().take(MAX_BYTES + 1);
        let mut bytes = vec![0];
        let read = input.read(&mut bytes);
        let _ = begun.send(());
        bytes.truncate(read?);
        input.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    if let Err(RecvTimeoutError::Timeout) = beginning.recv_timeout(PATIENCE) {
        terminal.note("Nothing came on standard input; going on without it. A `-` after the text waits for it.");
        return Ok(None);
    }
    let bytes = reader.join().map_err(|_| io::Error::other("standard input cannot be read"))??;
    text(bytes).map(Some)
}

fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(UsageError::new("standard input is longer than 16 MiB", "Give a part of it.").into());
    }
    Ok(String::from_utf8(bytes).map_err(|_| UsageError::new("standard input is not UTF-8 text", ""))?)
}

/// Whether somebody pipes something in. A terminal, `/dev/null` and a socket of whatever started us do not count.
fn is_piped(terminal: &Terminal) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    if terminal.input_is_terminal() {
        return false;
    }
    let Ok(input) = io::stdin().as_fd().try_clone_to_owned() else { return false };
    let metadata = std::fs::File::from(input).metadata();
    metadata.is_ok_and(|metadata| metadata.is_file() || metadata.file_type().is_fifo())
}

/// JSON from the command line, or from standard input where `-` stands.
pub fn json(text: Option<&str>) -> anyhow::Result<Option<Value>> {
    let text = match text {
        None => return Ok(None),
        Some("-") => standard_input()?,
        Some(text) => text.to_owned(),
    };
    let value = serde_json::from_str(&text).map_err(|error| {
        UsageError::new(format!("this is not JSON: {error}"), "In a shell, put it in single quotes.")
    })?;
    Ok(Some(value))
}

/// `name=value` pairs over an object. A value is JSON where it reads as that and the schema does not want a text.
pub fn merged(base: Option<Value>, pairs: &[(String, String)], schema: &Value) -> anyhow::Result<Value> {
    let mut object = match base {
        None => Map::new(),
        Some(Value::Object(object)) => object,
        Some(_) => {
            return Err(UsageError::new("the input must be a JSON object", r#"As in '{"name":"value"}'."#).into());
        }
    };
    for (name, text) in pairs {
        let wants_text = schema["properties"][name]["type"] == "string";
        let parsed = serde_json::from_str(text).ok().filter(|_| !wants_text);
        object.insert(name.clone(), parsed.unwrap_or_else(|| text.clone().into()));
    }
    Ok(Value::Object(object))
}

pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    if name.is_empty() {
        Err("the name before = is missing".to_owned())
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{merged, pair};

    #[test]
    fn pairs_become_what_the_schema_wants() {
        let schema = json!({"properties": {"name": {"type": "string"}, "count": {"type": "integer"}}});
        let pairs = ["name=7", "count=7", "other=[1]", "words=two words", "empty="].map(|text| pair(text).unwrap());
        let input = merged(Some(json!({"name": "x", "kept": true})), &pairs, &schema).unwrap();
        let expected = json!({"name": "7", "kept": true, "count": 7, "other": [1], "words": "two words", "empty": ""});
        assert_eq!(input, expected);
        assert!(merged(Some(json!([])), &[], &schema).is_err());
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
