use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::fold::Fold;
use super::super::wire::{Item, TurnStatus, What, notice};
use crate::model::{BlockStart, Delta, Ending, ErrorKind, Happening};

const TEXT: &str = include_str!("../../../../tests/fixtures/codex/text.jsonl");
const REASON: &str = include_str!("../../../../tests/fixtures/codex/reason.jsonl");
const TOOL: &str = include_str!("../../../../tests/fixtures/codex/tool.jsonl");
const COMMAND: &str = include_str!("../../../../tests/fixtures/codex/command.jsonl");
const DECLINED: &str = include_str!("../../../../tests/fixtures/codex/declined.jsonl");
const PATCH: &str = include_str!("../../../../tests/fixtures/codex/patch.jsonl");
const STEER: &str = include_str!("../../../../tests/fixtures/codex/steer.jsonl");
const BROKEN: &str = include_str!("../../../../tests/fixtures/codex/broken.jsonl");
const QUOTA: &str = include_str!("../../../../tests/fixtures/codex/quota.jsonl");
const INTERRUPT: &str = include_str!("../../../../tests/fixtures/codex/interrupt.jsonl");

#[derive(Clone, Deserialize)]
struct Line {
    method: String,
    id: Option<u64>,
    params: Box<RawValue>,
}

/// What the server told of one turn.
fn lines(recorded: &str) -> Vec<Line> {
    let lines = recorded.lines().map(|line| serde_json::from_str::<Line>(line).expect("a line"));
    lines.filter(|line| line.id.is_none()).collect()
}

fn turn(lines: &[Line]) -> String {
    let started = lines.iter().find(|line| line.method == "turn/started").expect("a start");
    notice(&started.method, &started.params).and_then(|notice| notice.turn).expect("its turn")
}

#[derive(Default)]
struct Heard {
    happenings: Vec<Happening>,
    end: Option<Result<Ending, ErrorKind>>,
}

impl Heard {
    fn push(&mut self, fold: &mut Fold, line: &Line) {
        let Some(notice) = notice(&line.method, &line.params) else { return };
        let told = fold.push(notice);
        self.happenings.extend(told.happenings);
        self.end = self.end.take().or(told.end.map(|end| end.map_err(|error| error.kind)));
    }
}

fn play(recorded: &str) -> Heard {
    let lines = lines(recorded);
    let mut fold = Fold::new(turn(&lines), None);
    let mut heard = Heard::default();
    lines.iter().for_each(|line| heard.push(&mut fold, line));
    heard
}

/// What somebody sees in the end: blocks that are not void, deeds, and how often the model answered.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    texts: Vec<(bool, String)>,
    deeds: Vec<(String, bool)>,
    input_tokens: u64,
}

fn see(happenings: &[Happening]) -> Seen {
    let mut blocks: Vec<(u32, bool, String, bool)> = Vec::new();
    let mut seen = Seen::default();
    for happening in happenings {
        match happening {
            Happening::Said(Delta::Start { index, block }) => {
                assert!(blocks.iter().all(|(at, ..)| at < index), "{index} is used again");
                blocks.push((*index, *block == BlockStart::Reasoning, String::new(), true));
            }
            Happening::Said(Delta::Text { index, text: more }) => {
                let (.., text, open) = blocks.iter_mut().find(|(at, ..)| at == index).expect("a block");
                assert!(*open, "{index} is stopped");
                text.push_str(more);
            }
            Happening::Said(Delta::Stop { index }) => {
                let (.., open) = blocks.iter_mut().find(|(at, ..)| at == index).expect("a block");
                assert!(std::mem::take(open), "{index} is stopped twice");
            }
            Happening::Void(_) => blocks.retain(|(.., open)| !open),
            Happening::Did(deed) => seen.deeds.push((deed.name.clone(), deed.outcome.is_ok())),
            Happening::Responded(usage) => seen.input_tokens += usage.input_tokens.expect("a number"),
            other => panic!("{other:?}"),
        }
    }
    assert!(blocks.iter().all(|(.., open)| !open), "a block is open at the end");
    seen.texts = blocks.into_iter().map(|(_, reasoning, text, _)| (reasoning, text)).collect();
    seen
}

#[track_caller]
fn check(recorded: &str, texts: &[(bool, &str)], deeds: &[(&str, bool)], input: u64, end: Result<Ending, ErrorKind>) {
    let heard = play(recorded);
    let texts = texts.iter().map(|(reasoning, text)| (*reasoning, (*text).to_owned())).collect();
    let deeds = deeds.iter().map(|(name, fine)| ((*name).to_owned(), *fine)).collect();
    assert_eq!(see(&heard.happenings), Seen { texts, deeds, input_tokens: input });
    assert_eq!(heard.end, Some(end));
}

#[test]
fn turns_as_they_were_recorded() {
    let done = Ok(Ending::Done);
    check(TEXT, &[(false, "Hello from the mock.")], &[], 1200, done.clone());
    check(REASON, &[(true, "**Thinking** hard"), (false, "Reasoned answer.")], &[], 1200, done.clone());
    check(TOOL, &[(false, "Done: the tool has run.")], &[], 2400, done.clone());
    let ran = [(false, "Done: the tool has run.")];
    check(COMMAND, &ran, &[("codex-command", true)], 2400, done.clone());
    check(DECLINED, &ran, &[("codex-command", false)], 2400, done.clone());
    check(PATCH, &ran, &[("codex-file-change", true)], 2400, done.clone());
    check(STEER, &[(false, "Hello from the mock.")], &[("codex-command", true)], 2400, done);
    check(INTERRUPT, &[(false, "tick tick tick tick ")], &[], 0, Ok(Ending::Interrupted));
    check(QUOTA, &[], &[], 0, Err(ErrorKind::Quota));
}

#[test]
fn what_a_retry_replaces_is_void() {
    let heard = play(BROKEN);
    let voids: Vec<&String> = heard
        .happenings
        .iter()
        .filter_map(|happening| match happening {
            Happening::Void(reason) => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(voids.len(), 5);
    assert!(voids[0].starts_with("Reconnecting... 1/5 (stream disconnected before completion"), "{}", voids[0]);
    // The last attempt fails for good; what it said stays with the error.
    assert_eq!(see(&heard.happenings).texts, [(false, "This stream will".to_owned())]);
    assert_eq!(heard.end, Some(Err(ErrorKind::Truncated)));
}

#[test]
fn what_belongs_to_another_turn_is_passed_over() {
    let mut fold = Fold::new("another", None);
    let mut heard = Heard::default();
    lines(TEXT).iter().for_each(|line| heard.push(&mut fold, line));
    assert!(heard.happenings.is_empty() && heard.end.is_none());
}

#[test]
fn tokens_that_are_told_again_are_not_counted_again() {
    let lines = lines(TEXT);
    let mut fold = Fold::new(turn(&lines), None);
    let mut heard = Heard::default();
    for line in &lines {
        heard.push(&mut fold, line);
        if line.method == "thread/tokenUsage/updated" {
            heard.push(&mut fold, line);
        }
    }
    assert_eq!(see(&heard.happenings).input_tokens, 1200);
}

#[test]
fn kinds_that_are_not_known_do_no_harm() {
    let of = |method: &str, params: &str| {
        notice(method, &RawValue::from_string(params.to_owned()).expect("JSON")).map(|notice| notice.what)
    };
    let item = r#"{"turnId":"t","item":{"type":"hologram","id":"x","depth":3}}"#;
    assert!(matches!(of("item/completed", item), Some(What::ItemCompleted(Item::Other))));
    let ended = r#"{"turn":{"id":"t","status":"postponed","items":[{"type":"hologram"}]}}"#;
    assert!(matches!(of("turn/completed", ended), Some(What::TurnEnded(turn)) if turn.status == TurnStatus::Unknown));
    assert!(of("item/completed", r#"{"item":5}"#).is_none());
    assert!(of("hologram/shown", "{}").is_none());
}

/// The turn with the connection lost between two notifications and back before a later one. What is complete by then is
/// in the list, as the server has it.
fn play_with_gap(recorded: &str, lost: usize, back: usize) -> Heard {
    let lines = lines(recorded);
    let (lost, back) = (lost.min(lines.len() - 1), back.min(lines.len() - 1));
    let mut fold = Fold::new(turn(&lines), None);
    let mut heard = Heard::default();
    lines[..lost].iter().for_each(|line| heard.push(&mut fold, line));
    fold.tear();
    let complete: Vec<Item> = lines[..back]
        .iter()
        .filter_map(|line| notice(&line.method, &line.params))
        .filter_map(|notice| match notice.what {
            What::ItemCompleted(item) => Some(item),
            _ => None,
        })
        .collect();
    // Where the connection is, the server says again how many tokens the thread has used.
    let tokens = lines[..back].iter().rfind(|line| line.method == "thread/tokenUsage/updated");
    if let Some(line) = tokens.filter(|_| lost < back) {
        heard.push(&mut fold, line);
    }
    heard.happenings.extend(fold.catch_up(&complete));
    lines[back..].iter().for_each(|line| heard.push(&mut fold, line));
    heard
}

proptest! {
    #[test]
    fn a_gap_anywhere_loses_and_doubles_nothing(which in 0..7_usize, lost in 0..40_usize, length in 0..40_usize) {
        let recorded = [TEXT, REASON, TOOL, COMMAND, DECLINED, PATCH, STEER][which];
        let whole = play(recorded);
        let with_gap = play_with_gap(recorded, lost, lost + length);
        prop_assert_eq!(with_gap.end, whole.end);
        let (with_gap, whole) = (see(&with_gap.happenings), see(&whole.happenings));
        prop_assert_eq!(with_gap.texts, whole.texts);
        prop_assert_eq!(with_gap.deeds, whole.deeds);
    }
}
