use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::model::{Block, ClientPlace, Message, Metadata, Role, Usage};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

struct Nothing;

#[async_trait]
impl Handler for Nothing {
    async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        Ok(Value::Null)
    }
}

fn skills() -> Registry {
    let mut registry = Registry::default();
    for (id, dangerous) in [("look", false), ("wipe", true)] {
        let input_schema =
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false});
        let spec = SkillSpec {
            id: id.into(),
            description: id.into(),
            plugin: "test".into(),
            tags: vec![],
            input_schema,
            dangerous,
        };
        registry.add(Skill::new(spec, Nothing)).expect("two ids");
    }
    registry
}

fn answer(stop: Stop, calls: &[(&str, &str)]) -> Completion {
    let block = |(index, (name, arguments)): (usize, &(&str, &str))| {
        Block::ToolCall(ToolCall {
            id: format!("c{index}"),
            name: (*name).into(),
            arguments: (*arguments).into(),
            opaque: None,
        })
    };
    let blocks = calls.iter().enumerate().map(block).collect();
    let message = Message { role: Role::Assistant, blocks };
    Completion { message, usage: Usage::default(), stop, model: None, metadata: Metadata::default() }
}

/// What a turn that starts now does about one answer.
fn verdicts(mode: Mode, stop: Stop, calls: &[(&str, &str)]) -> String {
    match Turn::new(mode, 6, 0).answered(&answer(stop, calls), &skills()) {
        Step::Skills(planned) => {
            let one = |planned: &Planned| match &planned.verdict {
                Verdict::Run { safe } => format!("run {} safe={safe}", planned.input),
                Verdict::Refuse(why) => format!("refuse: {why}"),
                Verdict::Hold(why) => format!("hold: {why}"),
            };
            planned.iter().map(one).collect::<Vec<_>>().join(" | ")
        }
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(mode: Mode, calls: &[(&str, &str)], expected: &str) {
    assert_eq!(verdicts(mode, Stop::ToolUse, calls), expected);
}

#[test]
fn danger_decides_by_mode() {
    let calls = [("look", "{\"n\":1}"), ("wipe", "")];
    check(Mode::Auto, &calls, "run {\"n\":1} safe=true | run {} safe=false");
    check(Mode::Selective, &calls, "run {\"n\":1} safe=true | hold: dangerous skill held for approval");
    let held = "hold: nothing runs in propose mode without approval";
    check(Mode::Propose, &calls, &format!("{held} | {held}"));
}

#[test]
fn bad_calls_are_refused_with_the_reason() {
    check(Mode::Auto, &[("nope", "{}")], "refuse: skill 'nope' is not available");
    check(
        Mode::Auto,
        &[("look", "{\"n\":")],
        "refuse: the arguments are not valid JSON: EOF while parsing a value at line 1 column 5",
    );
    check(Mode::Auto, &[("look", "[1]")], "refuse: the arguments must be a JSON object");
    check(Mode::Auto, &[("look", "{\"n\":\"x\"}")], "refuse: input.n: \"x\" is not of type \"integer\"");
    check(Mode::Auto, &[("look", "\"{\\\"n\\\":2}\"")], "run {\"n\":2} safe=true");
}

#[test]
fn a_cut_answer_does_not_run_its_last_call() {
    let cut = verdicts(Mode::Auto, Stop::MaxTokens, &[("look", "{}"), ("wipe", "{}")]);
    assert_eq!(cut, "run {} safe=true | refuse: the call was cut off at the token limit");
    for stop in [Stop::ContextExceeded, Stop::ContentFilter, Stop::Refusal(None)] {
        let cut = verdicts(Mode::Auto, stop, &[("look", ""), ("look", "")]);
        assert!(cut.starts_with("run {} safe=true | refuse: "), "{cut}");
    }
}

#[test]
fn the_cap_counts_only_when_it_cuts() {
    let skills = skills();
    let mut turn = Turn::new(Mode::Auto, 1, 0);
    let end = turn.answered(&answer(Stop::EndTurn, &[]), &skills);
    assert_eq!(end, Step::End { stop: StopReason::EndTurn, halted: None });
    let mut turn = Turn::new(Mode::Auto, 2, 0);
    turn.answered(&answer(Stop::ToolUse, &[("look", "{}")]), &skills);
    assert_eq!(turn.skills_done(false), Step::CallModel);
    turn.answered(&answer(Stop::ToolUse, &[("look", "{}")]), &skills);
    let capped = Step::End { stop: StopReason::IterationCap, halted: Some(Halted::IterationCap) };
    assert_eq!(turn.skills_done(false), capped);
    assert_eq!(Turn::new(Mode::Auto, 2, 2).skills_done(false), Step::CallModel);
}

#[test]
fn a_pause_goes_on() {
    let mut turn = Turn::new(Mode::Auto, 2, 0);
    assert_eq!(turn.answered(&answer(Stop::Pause, &[]), &skills()), Step::CallModel);
}
