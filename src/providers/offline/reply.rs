//! What is said, and which skill is called.

use super::rank::Ranked;
use super::{Call, Entry, input, render};
use crate::model::ToolResult;

/// The last line of every final answer.
const NO_MODEL: &str = "No model is configured for this answer. To add one, set ANTHROPIC_API_KEY, OPENAI_API_KEY, \
                        or OPENAI_COMPATIBLE_URL for a local server; `open-think providers` lists every way.";

const MAX_PROPOSALS: usize = 3;
const MAX_NAMED: usize = 5;

/// A dangerous skill is called only if the text speaks of it this plainly: its id, and more.
const DANGEROUS_MIN: u32 = 16;

/// The best safe skill that the text can fill; a dangerous one only if it fits half as well again.
pub(super) fn choose(ranked: &[Ranked<'_>], text: &str) -> Option<Call> {
    let best = |dangerous: bool| {
        let mut fitting = ranked.iter().filter(|ranked| ranked.entry.dangerous == dangerous);
        fitting.find_map(|ranked| Some((ranked.score, filled(ranked.entry, text).ok()?)))
    };
    let safe = best(false);
    let safe_score = safe.as_ref().map_or(0, |(score, _)| *score);
    let dangerous = best(true).filter(|(score, _)| *score >= DANGEROUS_MIN && *score * 2 >= safe_score * 3);
    dangerous.or(safe).map(|(_, call)| call)
}

pub(super) fn proposals(ranked: &[Ranked<'_>], entries: &[Entry], text: &str) -> String {
    let best = ranked.first().map_or(0, |ranked| ranked.score);
    let near = || ranked.iter().filter(|ranked| ranked.score * 2 >= best);
    let callable = near().filter_map(|ranked| Some((ranked.entry, filled(ranked.entry, text).ok()?)));
    let proposals: Vec<_> = callable.take(MAX_PROPOSALS).map(|(entry, call)| proposal(entry, &call)).collect();
    let wanting = near().find_map(|ranked| Some(wanting(ranked.entry, &filled(ranked.entry, text).err()?)));
    match (proposals.is_empty(), wanting) {
        (true, None) => no_match(entries),
        (true, Some(wanting)) => closed(&[wanting]),
        (false, wanting) => {
            let opening = if proposals.len() == 1 { "This skill fits:" } else { "These skills fit, the best first:" };
            let mut parts = vec![opening.to_owned()];
            parts.extend(proposals);
            parts.extend(wanting);
            closed(&parts)
        }
    }
}

/// The calls that a person ordered, where none can be made.
pub(super) fn as_ordered(calls: &[Call]) -> String {
    let mut parts = vec!["As ordered:".to_owned()];
    parts.extend(calls.iter().map(block));
    closed(&parts)
}

pub(super) fn found(results: &[&ToolResult]) -> String {
    let parts: Vec<_> = results.iter().map(|result| render::result(result)).collect();
    closed(&parts)
}

/// Tools are there, and none can be called with what the text gives.
pub(super) fn nothing_to_call(ranked: &[Ranked<'_>], entries: &[Entry], text: &str) -> String {
    let wanting = ranked.iter().find_map(|ranked| Some(wanting(ranked.entry, &filled(ranked.entry, text).err()?)));
    wanting.map_or_else(|| no_match(entries), |wanting| closed(&[wanting]))
}

fn no_match(entries: &[Entry]) -> String {
    let said = "Without a model only skills can be found here, and none fits these words.".to_owned();
    let safe = || entries.iter().filter(|entry| !entry.dangerous);
    let ids: Vec<_> = safe().take(MAX_NAMED).map(|entry| entry.id.as_str()).collect();
    if ids.is_empty() {
        return closed(&[said]);
    }
    let more = if safe().nth(MAX_NAMED).is_some() { " and others" } else { "" };
    let mut named = format!("There are {}{more}.", ids.join(", "));
    if let Some(call) = safe().find_map(|entry| filled(entry, "").ok()) {
        named.push_str(&format!(" To call one, write for example `call {} {}`.", call.skill, call.arguments));
    }
    closed(&[said, named])
}

fn filled(entry: &Entry, text: &str) -> Result<Call, Vec<String>> {
    let input = input::fill(&entry.input_schema, text)?;
    Ok(Call { skill: entry.id.clone(), arguments: input.to_string() })
}

fn proposal(entry: &Entry, call: &Call) -> String {
    let danger = if entry.dangerous { " [dangerous]" } else { "" };
    format!("- {}{danger}: {}\n\n{}", entry.id, entry.description, block(call))
}

fn wanting(entry: &Entry, missing: &[String]) -> String {
    let id = &entry.id;
    let example: Vec<_> = missing.iter().map(|name| format!("\"{name}\":…")).collect();
    let (missing, example) = (missing.join(" and "), example.join(","));
    format!("{id} fits, once it is told {missing}: `call {id} {{{example}}}`.")
}

fn block(call: &Call) -> String {
    let skill = serde_json::Value::from(call.skill.as_str());
    format!("```open-think-action\n{{\"skill\":{skill},\"input\":{}}}\n```", call.arguments)
}

fn closed(parts: &[String]) -> String {
    format!("{}\n\n{NO_MODEL}", parts.join("\n\n"))
}
