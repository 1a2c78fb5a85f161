//! The oddities of vendors that are known by number: each is proven by a test `quirk_NN_…` or by a recorded answer
//! `quirk-NN-…` with its snapshot, and this says which is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const QUIRKS: [(usize, &str); 32] = [
    (1, "a character is cut between two chunks"),
    (2, "events end, are cut and are joined in every way there is"),
    (3, "comments and blank lines keep a stream alive"),
    (4, "a chunk has no choices"),
    (5, "an error arrives inside an answer that began well"),
    (6, "a stream ends in the middle"),
    (7, "a stream ends without its last word"),
    (8, "arguments of a call are an object, or a text in a text"),
    (9, "ids of calls are missing, empty or repeated"),
    (10, "parallel calls have one index, or none"),
    (11, "parallel calls and blocks are interleaved and closed out of order"),
    (12, "names and arguments come in fragments and in any order"),
    (13, "arguments parse before they are whole"),
    (14, "a call has no arguments"),
    (15, "the reason to stop is wrong, empty or repeated"),
    (16, "content is null, a list or a number"),
    (17, "thoughts have several names, and go back under the one they had"),
    (18, "thoughts are signed, and the signature goes back unharmed or not at all"),
    (19, "a signature on a call goes back with it"),
    (20, "thoughts of the Responses API go back whole or not at all"),
    (21, "usage is told twice, or late"),
    (22, "the time to wait is a date, past, a fraction, negative or huge"),
    (23, "some 429 must never be asked again, and some 400 must"),
    (24, "a success is a web page, of another type or empty"),
    (25, "bodies are compressed, or say so and are not"),
    (26, "whether a stream was wanted is ignored"),
    (27, "errors come in all envelopes"),
    (28, "an answer begins a second time"),
    (29, "ids of items change, and events have no names"),
    (30, "an empty answer passes for a success"),
    (31, "who gives up hangs up, and a slow reader fills no memory"),
    (32, "credentials stay with their origin and out of every text"),
];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The number that stands behind `prefix` and before `separator`.
fn number(text: &str, prefix: &str, separator: char) -> Option<usize> {
    text.strip_prefix(prefix)?.split_once(separator)?.0.parse().ok()
}

fn proven_by(path: &Path, proven: &mut BTreeSet<usize>) {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let snapshot = path.parent().map(|folder| folder.join("snapshots").join(format!("{name}.snap")));
    if snapshot.is_some_and(|snapshot| snapshot.is_file()) {
        proven.extend(number(name, "quirk-", '-'));
    }
    if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).expect("source");
        proven.extend(text.split("fn ").filter_map(|function| number(function, "quirk_", '_')));
    }
}

#[test]
fn every_quirk_is_proven() {
    let mut paths = Vec::new();
    for folder in ["src", "tests"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut paths);
    }
    let mut proven = BTreeSet::new();
    paths.iter().for_each(|path| proven_by(path, &mut proven));
    let missing = QUIRKS.iter().filter(|(number, _)| !proven.contains(number));
    let missing: Vec<String> = missing.map(|(number, title)| format!("quirk {number}: {title}")).collect();
    assert!(missing.is_empty(), "no test says it proves\n{}", missing.join("\n"));
    let unknown: Vec<_> = proven.iter().filter(|known| !(1..=QUIRKS.len()).contains(*known)).collect();
    assert!(unknown.is_empty(), "there is no quirk of the number {unknown:?}");
}
