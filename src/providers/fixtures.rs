//! Recorded answers and what they must be read as: `tests/fixtures/DIALECT/NAME.*` beside `snapshots/NAME.snap`.
//! A new case is a new file; `INSTA_UPDATE=always cargo test --lib providers` writes its snapshot.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::reader::{Decode, replay};
use super::upstream::{Source, Upstream};
use crate::model::{BlockStart, Delta, ProviderError};
use crate::policy::Redactor;

pub(super) fn source() -> Source {
    let upstream = Upstream { name: "Vendor", key_setting: "VENDOR_KEY", url_setting: "VENDOR_URL" };
    Source { upstream, redactor: Redactor::default() }
}

/// Reads every answer of the dialect whole, cut in two at every byte, byte by byte and in awkward pieces, and compares.
pub(super) fn check_all<D: Decode>(dialect: &str, decoder: impl Fn() -> D) {
    let _guard = settings(dialect).bind_to_scope();
    for file in files(dialect) {
        let bytes = fs::read(&file).expect("a fixture");
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a plain name");
        let whole = read([&bytes[..]], decoder());
        for size in [1, 7, 64] {
            assert_eq!(read(bytes.chunks(size), decoder()), whole, "{name} in pieces of {size}");
        }
        let replayed = |pieces: &[&[u8]]| {
            let (deltas, result) = replay(decoder(), source(), pieces.iter().copied());
            (deltas, result.err().map(|error| fault(&error)))
        };
        let expected = replayed(&[&bytes]);
        for at in 0..bytes.len() {
            let (begin, rest) = bytes.split_at(at);
            // Made-up ids differ in all but their looks, which are dearer to compare.
            if replayed(&[begin, rest]) != expected {
                assert_eq!(read([begin, rest], decoder()), whole, "{name} cut at {at}");
            }
        }
        insta::assert_snapshot!(name, whole);
    }
}

/// Reads answers that are cut off or spoiled anywhere: the reader may refuse them, but must not fall over.
pub(super) fn check_damaged<D: Decode>(dialect: &str, decoder: impl Fn() -> D) {
    for file in files(dialect) {
        let mut bytes = fs::read(&file).expect("a fixture");
        for at in (0..bytes.len()).step_by(7) {
            read([&bytes[..at]], decoder());
            let good = std::mem::replace(&mut bytes[at], b'"');
            read([&bytes[..]], decoder());
            bytes[at] = good;
        }
    }
}

/// What one recorded answer is read as.
pub(super) fn deltas<D: Decode>(dialect: &str, file: &str, decoder: D) -> Vec<Delta> {
    let bytes = fs::read(folder(dialect).join(file)).expect("a fixture");
    let (deltas, result) = replay(decoder, source(), [&bytes[..]]);
    result.expect("a whole answer");
    deltas
}

fn files(dialect: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(dialect)).expect("fixtures");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    assert!(!files.is_empty());
    files
}

/// What is sent, checked against `snapshots/request.snap`.
pub(super) fn check_request(dialect: &str, body: &Value) {
    settings(dialect).bind(|| insta::assert_json_snapshot!("request", body));
}

/// What is sent in one scenario, checked against `requests/SCENARIO.snap`.
pub(super) fn check_scenario(dialect: &str, scenario: &str, body: &Value) {
    let mut settings = settings(dialect);
    settings.set_snapshot_path(folder(dialect).join("requests"));
    settings.bind(|| insta::assert_json_snapshot!(scenario, body));
}

fn folder(dialect: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect)
}

fn settings(dialect: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder(dialect).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// One line a delta.
fn read<'a, D: Decode>(pieces: impl IntoIterator<Item = &'a [u8]>, decoder: D) -> String {
    let (deltas, result) = replay(decoder, source(), pieces);
    let mut lines: Vec<String> = deltas.iter().map(line).collect();
    lines.extend(result.err().map(|error| fault(&error)));
    lines.join("\n")
}

fn line(delta: &Delta) -> String {
    match delta {
        Delta::Model(model) => format!("model {model}"),
        Delta::Start { index, block: BlockStart::ToolCall { id, name } } => {
            format!("{index} start tool call {name} {}", masked(id))
        }
        Delta::Start { index, block: BlockStart::Foreign(opaque) } => format!("{index} start foreign {}", opaque.value),
        Delta::Start { index, block } => format!("{index} start {block:?}"),
        Delta::Text { index, text } => format!("{index} text {text:?}"),
        Delta::Arguments { index, partial } => format!("{index} arguments {partial:?}"),
        Delta::Opaque { index, opaque } => {
            format!("{index} opaque {} {} {}", opaque.dialect, opaque.model, opaque.value)
        }
        Delta::Stop { index } => format!("{index} stop"),
        Delta::Usage(usage) => {
            let counts = [usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens];
            let counts = counts.into_iter().chain([usage.reasoning_tokens]);
            let counts = counts.map(|count| count.map_or("-".to_owned(), |count| count.to_string()));
            let cost = usage.cost_nano_usd.map_or(String::new(), |cost| format!(", cost {cost}"));
            format!("usage in out cached written reasoning: {}{cost}", counts.collect::<Vec<_>>().join(" "))
        }
        Delta::Metadata(metadata) => format!("metadata {}", Value::Object(metadata.clone())),
        Delta::Finished(stop) => format!("finished {stop:?}"),
    }
}

fn fault(error: &ProviderError) -> String {
    let again = if error.retryable { ", retryable" } else { "" };
    format!("error {:?}{again}: {error}", error.kind)
}

/// Made-up ids are random.
fn masked(id: &str) -> &str {
    match id.rsplit_once('_') {
        Some((_, rest)) if rest.len() == 32 => "(made up)",
        _ => id,
    }
}
