//! The shape of `src`: who may import whom, and how long a file may be.
//!
//! A part that only tests see is free.

use crate::imports::imports;
use crate::source::{SourceFile, files};

/// Each folder, and the folders it may import besides itself.
pub const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &[]),
    ("config", &[]),
    ("policy", &["config"]),
    ("transport", &["config"]),
    ("rpc", &["transport", "config"]),
    ("sessions", &["model"]),
    ("skills", &["model"]),
    ("providers", &["model", "policy", "config"]),
    ("helm", &["model", "skills", "sessions", "config"]),
    ("codex", &["model", "rpc", "transport", "policy", "config", "skills", "providers"]),
    ("plugins", &["model", "policy", "config", "skills", "providers", "codex"]),
    ("api", &["protocol", "helm", "skills", "sessions", "plugins", "codex", "rpc", "config", "model"]),
    ("http", &["protocol", "api", "rpc", "transport", "config"]),
];

/// The roof: these put the parts together and may import everything.
pub const ROOF: &[&str] = &["cli", "daemon"];

/// The only files that may translate between wire types and domain types.
const CROSSINGS: &[&str] = &["src/api/convert.rs", "src/api/error.rs"];

const LONGEST_FILE: usize = 500;

#[test]
fn imports_point_inward() {
    let mut faults = Vec::new();
    for file in files() {
        let Some(folder) = file.module.first() else { continue };
        if ROOF.contains(&folder.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| name == folder) else {
            faults.push(format!("{}: the folder {folder} has no row in MAY_IMPORT; give it one", file.path));
            continue;
        };
        for import in imports(&file) {
            let fine = import.folder() == Some(folder) || import.folder().is_some_and(|name| allowed.contains(&name));
            if !fine {
                faults.push(format!("{}:{}: {folder} may not import {}", file.path, import.line, import.name()));
            }
        }
    }
    let mend = "Turn the dependency round (a trait in the lower folder, implemented in the higher one), or move the \
                type inward. If the picture itself changed, change src/ARCHITECTURE.md and MAY_IMPORT in \
                tests/suite/layout.rs together.";
    assert!(faults.is_empty(), "{}\n{mend}", faults.join("\n"));
}

#[test]
fn only_the_crossings_name_wire_and_domain_data() {
    let mut faults = Vec::new();
    let inside = |path: &str| CROSSINGS.iter().any(|crossing| path.starts_with(crossing.trim_end_matches(".rs")));
    for file in files() {
        if file.module.first().is_none_or(|folder| folder != "api") || inside(&file.path) {
            continue;
        }
        let imports = imports(&file);
        if !imports.iter().any(|import| import.folder() == Some("protocol")) {
            continue;
        }
        for import in imports.iter().filter(|import| import.is_domain_data()) {
            faults.push(format!("{}:{}: {} beside wire types", file.path, import.line, import.name()));
        }
    }
    let mend = "A handler takes and gives wire types and calls the domain through its services. Translate in \
                src/api/convert.rs (errors in src/api/error.rs) and call that.";
    assert!(faults.is_empty(), "{}\n{mend}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let lines = |file: &SourceFile| file.text.lines().count();
    let long = files().into_iter().filter(|file| lines(file) > LONGEST_FILE);
    let faults: Vec<String> = long.map(|file| format!("{}: {} lines", file.path, lines(&file))).collect();
    assert!(faults.is_empty(), "{}\nSplit by concept, at {LONGEST_FILE} lines at most.", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_promises() {
    let silent = files().into_iter().filter(|file| file.text.lines().count() > 1 && !file.text.starts_with("//!"));
    let faults: Vec<String> = silent.map(|file| file.path).collect();
    let mend = "Begin with a //! header: what the file promises and what it leaves to others.";
    assert!(faults.is_empty(), "{}\n{mend}", faults.join("\n"));
}
