//! What `src/ARCHITECTURE.md` says of the source is so.

use std::path::Path;

use crate::layout::{MAY_IMPORT, ROOF};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text() -> String {
    std::fs::read_to_string(format!("{ROOT}/src/ARCHITECTURE.md")).expect("src/ARCHITECTURE.md is there")
}

#[test]
fn the_table_of_parts_is_the_one_that_is_checked() {
    let text = text();
    for (folder, allowed) in MAY_IMPORT {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{folder}` |"))).unwrap_or_default();
        let names: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
        let told = row.ends_with(&format!("| {names} |"));
        assert!(told, "the row of {folder} must end with: {names}. Change src/ARCHITECTURE.md with MAY_IMPORT.");
    }
    for folder in ROOF {
        assert!(text.contains(&format!("| `{folder}` |")), "src/ARCHITECTURE.md has no row of {folder}");
    }
}

#[test]
fn the_files_it_names_are_there() {
    for name in text().split('`').skip(1).step_by(2).filter(|name| name.contains('/') && name.contains(".rs")) {
        let there = [ROOT.to_owned(), format!("{ROOT}/src")].iter().any(|base| Path::new(base).join(name).exists());
        assert!(there, "src/ARCHITECTURE.md names {name}, which is not there");
    }
}

#[test]
fn it_stays_short() {
    let words = text().split_whitespace().count();
    assert!(words < 1500, "{words} words are more than two pages");
}
