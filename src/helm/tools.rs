//! Running the skill calls of one answer, and what the model reads of their results.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::request::TraceEntry;
use super::turn::{Planned, Verdict};
use crate::model::{Block, ToolResult};
use crate::skills::{Registry, SkillError};

/// Safe calls of one answer that run at a time.
const SIDE_BY_SIDE: usize = 8;

/// Hears of each call as it ends.
pub type Done<'a> = &'a (dyn Fn(&TraceEntry) + Sync);

/// Runs what may run, in order; safe neighbours side by side.
pub async fn run(planned: &[Planned], skills: &Registry, done: Done<'_>) -> Vec<TraceEntry> {
    let mut entries = Vec::new();
    for group in groups(planned) {
        let calls = group.into_iter().map(|planned| one_of_many(planned, skills, done)).collect::<Vec<_>>();
        entries.extend(stream::iter(calls).buffered(SIDE_BY_SIDE).collect::<Vec<_>>().await);
    }
    entries
}

fn one_of_many<'a>(planned: &'a Planned, skills: &'a Registry, done: Done<'a>) -> BoxFuture<'a, TraceEntry> {
    Box::pin(async move {
        let entry = run_one(planned, skills).await;
        done(&entry);
        entry
    })
}

/// Calls that are held stand in no group.
fn groups(planned: &[Planned]) -> Vec<Vec<&Planned>> {
    let mut groups: Vec<Vec<&Planned>> = Vec::new();
    let mut alone = true;
    for call in planned.iter().filter(|planned| !matches!(planned.verdict, Verdict::Hold(_))) {
        let is_safe = !matches!(call.verdict, Verdict::Run { safe: false });
        match groups.last_mut() {
            Some(group) if is_safe && !alone => group.push(call),
            _ => groups.push(vec![call]),
        }
        alone = !is_safe;
    }
    groups
}

async fn run_one(planned: &Planned, skills: &Registry) -> TraceEntry {
    let started = Instant::now();
    let outcome = match (&planned.verdict, skills.get(&planned.call.name)) {
        (Verdict::Refuse(why), _) => Err(why.clone()),
        (_, Some(skill)) => skill.run(planned.input.clone()).await.map_err(describe),
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
        Some(hint) => format!("{} {hint}", error.message),
        None => error.message,
    }
}

/// A call that somebody said no to.
pub fn denied(planned: &Planned) -> TraceEntry {
    TraceEntry {
        tool_use_id: planned.call.id.clone(),
        skill: planned.call.name.clone(),
        input: planned.input.clone(),
        outcome: Err("the user denied this call".to_owned()),
        duration: Duration::ZERO,
    }
}

/// What the model reads, at most so many bytes of it.
pub fn result(entry: &TraceEntry, limit: usize) -> Block {
    let (content, is_error) = match &entry.outcome {
        Ok(Value::String(text)) => (text.clone(), false),
        Ok(value) => (value.to_string(), false),
        Err(error) => (error.clone(), true),
    };
    let (call_id, name) = (entry.tool_use_id.clone(), entry.skill.clone());
    Block::ToolResult(ToolResult { call_id, name, is_error, content: bounded(content, limit) })
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
