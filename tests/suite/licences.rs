//! Every crate that is linked has a licence on the list of `.deny.toml`.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_licence_is_on_the_list() {
    let allowed = allowed();
    let is_allowed = |licence: &str| allowed.contains(licence);
    let mut faults = Vec::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let licence = text("license");
        if !Expression::parse(&licence).is_some_and(|expression| expression.holds(&is_allowed)) {
            faults.push(format!("{} {}: '{licence}'", text("name"), text("version")));
        }
    }
    let mend = "Do without the crate, or add the licence to .deny.toml with the reason why it is fine.";
    assert!(faults.is_empty(), "{}\n{mend}", faults.join("\n"));
}

#[test]
fn expressions_are_read_as_spdx_does() {
    let holds = |text: &str| {
        let allowed = |licence: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
        Expression::parse(text).map(|expression| expression.holds(&allowed))
    };
    assert_eq!(holds("MIT"), Some(true));
    assert_eq!(holds("GPL-3.0"), Some(false));
    assert_eq!(holds("GPL-3.0 OR MIT"), Some(true));
    assert_eq!(holds("GPL-3.0/MIT"), Some(true));
    assert_eq!(holds("GPL-3.0 AND MIT"), Some(false));
    assert_eq!(holds("(GPL-3.0 OR MIT) AND ISC"), Some(true));
    assert_eq!(holds("GPL-3.0 OR MIT AND BSL-1.0"), Some(false));
    assert_eq!(holds("Apache-2.0 WITH LLVM-exception"), Some(true));
    assert_eq!(holds("Apache-2.0"), Some(false));
    for broken in ["", "(MIT", "MIT OR", "MIT ISC"] {
        assert_eq!(holds(broken), None, "{broken}");
    }
}

fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(format!("{ROOT}/.deny.toml")).expect(".deny.toml is there");
    let deny: toml::Table = text.parse().expect(".deny.toml is TOML");
    let list = deny["licenses"]["allow"].as_array().expect("licenses.allow is a list");
    list.iter().map(|licence| licence.as_str().expect("a licence is a string").to_owned()).collect()
}

/// Those of this machine's platform: others may never have been downloaded.
fn packages() -> Vec<Value> {
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(ROOT).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("cargo writes UTF-8")
    };
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let platform = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&cargo(&platform)).expect("cargo writes JSON");
    let used: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .map_or_else(BTreeSet::new, |nodes| nodes.iter().filter_map(|node| node["id"].as_str()).collect());
    let all = metadata["packages"].as_array().expect("a list of packages");
    let packages = all.iter().filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)));
    packages.cloned().collect()
}

/// `A OR B AND (C)`; `AND` binds tighter, and a slash is an old way to write `OR`.
enum Expression {
    One(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expression {
    fn parse(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        let expression = Self::any(&mut rest)?;
        rest.is_empty().then_some(expression)
    }

    fn holds(&self, allowed: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::One(licence) => allowed(licence),
            Self::All(parts) => parts.iter().all(|part| part.holds(allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(allowed)),
        }
    }

    fn any(rest: &mut &[&str]) -> Option<Self> {
        let mut parts = vec![Self::all(rest)?];
        while take(rest, "OR") {
            parts.push(Self::all(rest)?);
        }
        Some(Self::Any(parts))
    }

    fn all(rest: &mut &[&str]) -> Option<Self> {
        let mut parts = vec![Self::one(rest)?];
        while take(rest, "AND") {
            parts.push(Self::one(rest)?);
        }
        Some(Self::All(parts))
    }

    fn one(rest: &mut &[&str]) -> Option<Self> {
        if take(rest, "(") {
            let inner = Self::any(rest)?;
            return take(rest, ")").then_some(inner);
        }
        let licence = next(rest)?;
        if take(rest, "WITH") {
            return Some(Self::One(format!("{licence} WITH {}", next(rest)?)));
        }
        Some(Self::One(licence.to_owned()))
    }
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn next<'w>(rest: &mut &[&'w str]) -> Option<&'w str> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    (!["OR", "AND", "WITH", ")"].contains(first)).then_some(*first)
}
