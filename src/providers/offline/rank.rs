//! Which skills the words of a request speak of.
//!
//! A word counts by where the skill has it: most in its id, then in its tags, then in its description. Verbs that half
//! of all skills share count half. Equal scores keep a fixed order: safe before dangerous, then by id.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use super::Entry;

pub(super) struct Ranked<'a> {
    pub entry: &'a Entry,
    pub score: u32,
}

/// Each is halved for a common verb.
const IN_ID: u32 = 12;
const IN_TAGS: u32 = 8;
const IN_DESCRIPTION: u32 = 4;

/// A word of a tag, or two of the description.
const MIN_SCORE: u32 = 8;

const COMMON_VERBS: [&str; 16] = [
    "add", "call", "chat", "check", "create", "delete", "find", "get", "give", "list", "make", "run", "set", "show",
    "status", "start",
];

const STOP_WORDS: [&str; 67] = [
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "is", "it", "its", "just", "let", "me", "my",
    "need", "no", "not", "now", "of", "on", "or", "our", "please", "s", "should", "so", "some", "tell", "that", "the",
    "there", "these", "this", "those", "to", "us", "want", "was", "we", "what", "when", "where", "which", "will",
    "with", "would", "you",
];

/// Best first; those that the text hardly touches are left out.
pub(super) fn rank<'a>(entries: &'a [Entry], text: &str) -> Vec<Ranked<'a>> {
    let asked = words(text);
    let common: HashSet<String> = COMMON_VERBS.iter().map(|verb| fold(verb)).collect();
    let scored = entries.iter().map(|entry| Ranked { entry, score: score(entry, &asked, &common) });
    let mut ranked: Vec<_> = scored.filter(|ranked| ranked.score >= MIN_SCORE).collect();
    ranked.sort_by_key(|ranked| (Reverse(ranked.score), ranked.entry.dangerous, ranked.entry.id.clone()));
    ranked
}

fn score(entry: &Entry, asked: &BTreeSet<String>, common: &HashSet<String>) -> u32 {
    let fields = [
        (IN_ID, words(&entry.id)),
        (IN_TAGS, words(&entry.tags.join(" "))),
        (IN_DESCRIPTION, words(&entry.description)),
    ];
    let worth = |word: &String| {
        let found = fields.iter().filter(|(_, words)| words.contains(word));
        let worth: u32 = found.map(|(weight, _)| weight).sum();
        if common.contains(word) { worth / 2 } else { worth }
    };
    asked.iter().map(worth).sum()
}

/// Folded, each once. An ordered set, so that nothing depends on a hash.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let all = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    all.filter(|word| !STOP_WORDS.contains(word)).map(fold).collect()
}

/// One form for `zone`, `zones`; `create`, `creates`, `created`, `creating`; `query`, `queries`. Not always a word.
fn fold(word: &str) -> String {
    if !word.is_ascii() || word.len() <= 3 {
        return word.to_owned();
    }
    let singular = match word {
        _ if ends(word, &["ss", "us", "is"]) => word.to_owned(),
        _ if word.ends_with("ies") && word.len() > 4 => format!("{}y", &word[..word.len() - 3]),
        _ if ends(word, &["ches", "shes", "sses", "xes", "zes"]) => word[..word.len() - 2].to_owned(),
        _ => word.strip_suffix('s').unwrap_or(word).to_owned(),
    };
    let stem = ["ing", "ed", "e"].iter().find_map(|ending| singular.strip_suffix(ending).filter(|stem| stem.len() > 2));
    let stem = stem.unwrap_or(&singular);
    // `stopping` and `stop`; but `install` is itself.
    let doubled = stem.len() < singular.len() && stem.len() > 3 && stem.as_bytes().ends_with(&last_twice(stem));
    if doubled { stem[..stem.len() - 1].to_owned() } else { stem.to_owned() }
}

fn ends(word: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| word.ends_with(ending))
}

fn last_twice(stem: &str) -> [u8; 2] {
    let last = stem.as_bytes().last().copied().unwrap_or_default();
    [last, last]
}

#[cfg(test)]
mod tests {
    use super::{fold, words};

    #[test]
    fn forms_of_a_word_meet() {
        let families: [&[&str]; 5] = [
            &["zone", "zones"],
            &["create", "creates", "created", "creating"],
            &["query", "queries"],
            &["stop", "stops", "stopped", "stopping"],
            &["patch", "patches"],
        ];
        for family in families {
            assert!(family.iter().all(|word| fold(word) == fold(family[0])), "{family:?}");
        }
        for fixed in ["dns", "status", "access", "id"] {
            assert_eq!(fold(fixed), fixed);
        }
    }

    #[test]
    fn words_are_what_is_left_of_a_sentence() {
        let found: Vec<_> = words("What ZONES do I have, in cf-list-zones (ΔΕΛΤΑ)?").into_iter().collect();
        assert_eq!(found, ["cf", "list", "zon", "δελτα"]);
    }
}
