//! The plain command form: `call <skill> {json}`, one a line, in rounds parted by `then`.

use super::{Call, Entry};

/// The rounds of calls; none if the text orders nothing. Lines that are no order are passed over.
pub(super) fn read(text: &str, entries: &[Entry]) -> Vec<Vec<Call>> {
    let mut rounds = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        if line.eq_ignore_ascii_case("then") {
            rounds.push(Vec::new());
        } else if let (Some(call), Some(round)) = (call(line, entries), rounds.last_mut()) {
            round.push(call);
        }
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// Without JSON the skill must be a known one: "call mother" is a sentence.
fn call(line: &str, entries: &[Entry]) -> Option<Call> {
    let (verb, rest) = line.split_once(char::is_whitespace)?;
    let (skill, arguments) = match rest.trim().split_once(char::is_whitespace) {
        Some((skill, arguments)) => (skill, arguments.trim()),
        None => (rest.trim(), ""),
    };
    let known = || entries.iter().any(|entry| entry.id == skill);
    let ordered = arguments.starts_with('{') || arguments.is_empty() && known();
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    let call = || Call { skill: skill.to_owned(), arguments: arguments.to_owned() };
    (verb.eq_ignore_ascii_case("call") && ordered).then(call)
}
