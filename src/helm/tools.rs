//! Running the skill calls of one answer, and what the model reads of their results.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;

use super::request::TraceEntry;
use super::turn::{Planned, Verdict};
use crate::model::{Block, ClientPlace, ToolResult};
use crate::skills::{Registry, SkillError};

/// Safe calls of one answer that run at a time.
pub const SIDE_BY_SIDE: usize = 8;

/// Calls that may run at the same time, each giving its result as it ends.
pub type Calls<'a> = FuturesUnordered<BoxFuture<'a, TraceEntry>>;

pub fn start<'a>(group: &[&'a Planned], skills: &'a Registry, place: &'a ClientPlace) -> Calls<'a> {
    let calls = FuturesUnordered::new();
    for planned in group {
        calls.push(call(planned, skills, place));
    }
    calls
}

/// A call by itself.
pub fn run(planned: Planned, skills: Arc<Registry>, place: Arc<ClientPlace>) -> BoxFuture<'static, TraceEntry> {
    Box::pin(async move { run_one(&planned, &skills, &place).await })
}

fn call<'a>(planned: &'a Planned, skills: &'a Registry, place: &'a ClientPlace) -> BoxFuture<'a, TraceEntry> {
    Box::pin(run_one(planned, skills, place))
}

/// What runs one after the other: safe neighbours share a group. Calls that are held stand in none.
pub fn groups(planned: &[Planned]) -> Vec<Vec<&Planned>> {
    let mut groups: Vec<Vec<&Planned>> = Vec::new();
    let mut alone = true;
    for call in planned.iter().filter(|planned| !planned.is_held()) {
        let is_safe = !matches!(call.verdict, Verdict::Run { safe: false });
        match groups.last_mut() {
            Some(group) if is_safe && !alone && group.len() < SIDE_BY_SIDE => group.push(call),
            _ => groups.push(vec![call]),
        }
        alone = !is_safe;
    }
    groups
}

/// As the model called them, whichever ended first.
pub fn in_order(mut entries: Vec<TraceEntry>, planned: &[Planned]) -> Vec<TraceEntry> {
    entries.sort_by_key(|entry| planned.iter().position(|planned| planned.call.id == entry.tool_use_id));
    entries
}

/// For the calls that have no result, and are not held.
pub fn stopped(planned: &[Planned], done: &[TraceEntry]) -> Vec<TraceEntry> {
    let is_open =
        |planned: &&Planned| !planned.is_held() && !done.iter().any(|entry| entry.tool_use_id == planned.call.id);
    planned
        .iter()
        .filter(is_open)
        .map(|planned| refused(planned, "interrupted before it gave a result; it may have run in part"))
        .collect()
}

async fn run_one(planned: &Planned, skills: &Registry, place: &ClientPlace) -> TraceEntry {
    let started = Instant::now();
    let outcome = match (&planned.verdict, skills.get(&planned.call.name)) {
        (Verdict::Refuse(why), _) => Err(why.clone()),
        (_, Some(skill)) => skill.run(planned.input.clone(), place).await.map_err(describe),
        (_, None) => Err(format!("skill '{}' is not available", planned.call.name)),
    };
    TraceEntry {
        tool_use_id: planned.call.id.clone(),
        skill: planned.call.name.clone(),
        input: planned.input.clone(),
        outcome,
        duration: started.elapsed(),
    }
}

fn describe(error: SkillError) -> String {
    match error.hint {
        Some(hint) => format!("{}. {hint}", error.message.trim_end_matches('.')),
        None => error.message,
    }
}

pub const DENIED: &str = "the user denied this call";

/// A call that somebody said no to.
pub fn denied(planned: &Planned) -> TraceEntry {
    refused(planned, DENIED)
}

/// A call that somebody said yes to, and of which nothing more was heard.
pub fn allowed(planned: &Planned) -> TraceEntry {
    let told = Value::from("allowed; what came of it was not told");
    TraceEntry { outcome: Ok(told), ..refused(planned, "") }
}

pub fn refused(planned: &Planned, why: &str) -> TraceEntry {
    TraceEntry {
        tool_use_id: planned.call.id.clone(),
        skill: planned.call.name.clone(),
        input: planned.input.clone(),
        outcome: Err(why.to_owned()),
        duration: Duration::ZERO,
    }
}

pub fn result(entry: &TraceEntry, limit: usize) -> Block {
    let (content, is_error) = read(entry, limit);
    let (call_id, name) = (entry.tool_use_id.clone(), entry.skill.clone());
    Block::ToolResult(ToolResult { call_id, name, is_error, content })
}

/// What the model reads, at most so many bytes of it, and whether it is an error.
pub fn read(entry: &TraceEntry, limit: usize) -> (String, bool) {
    let (content, is_error) = match &entry.outcome {
        Ok(Value::String(text)) => (text.clone(), false),
        Ok(value) => (value.to_string(), false),
        Err(error) => (error.clone(), true),
    };
    (bounded(content, limit), is_error)
}

fn bounded(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let whole = text.len();
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text.push_str(&format!("\n[cut: {end} of {whole} bytes]"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ToolCall;

    fn planned(name: &str, verdict: Verdict) -> Planned {
        let call = ToolCall { id: name.into(), name: name.into(), arguments: String::new(), opaque: None };
        Planned { call, input: Value::Null, verdict }
    }

    #[test]
    fn only_safe_neighbours_share_a_group() {
        let calls = [
            planned("a", Verdict::Run { safe: true }),
            planned("b", Verdict::Refuse("no".into())),
            planned("c", Verdict::Run { safe: false }),
            planned("held", Verdict::Hold("wait".into())),
            planned("d", Verdict::Run { safe: true }),
            planned("e", Verdict::Run { safe: true }),
        ];
        let names: Vec<String> = groups(&calls)
            .iter()
            .map(|group| group.iter().map(|call| call.call.name.as_str()).collect::<Vec<_>>().join(""))
            .collect();
        assert_eq!(names, ["ab", "c", "de"]);
    }

    #[test]
    fn results_are_cut_at_a_character_and_say_so() {
        assert_eq!(bounded("żółw".into(), 4), "żó\n[cut: 4 of 7 bytes]");
        assert_eq!(bounded("żółw".into(), 3), "ż\n[cut: 2 of 7 bytes]");
        assert_eq!(bounded("turtle".into(), 6), "turtle");
    }
}
