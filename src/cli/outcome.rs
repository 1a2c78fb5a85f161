//! What a turn came to: the actions that wait, how to go on, what it used, and the exit code.

use crate::cli::exit::Exit;
use crate::cli::terminal::{Stream, Style, Terminal};
use crate::cli::turn::Ended;
use crate::cli::view::shortened;
use crate::protocol::{DEFAULT_SESSION, Halted, Mode, StopReason, SuggestedAction, TurnResult};

#[derive(Clone, Copy)]
pub struct Report {
    /// The result as a document, and nothing else.
    pub json: bool,
    pub verbose: bool,
}

pub fn report(terminal: &Terminal, report: Report, ended: &Ended) -> anyhow::Result<Exit> {
    let result = &*ended.result;
    if report.json {
        terminal.print_json(result)?;
    } else {
        for line in remarks(result) {
            terminal.note(&terminal.error.paint(Style::Warning, &terminal.error.foreign(&line)));
        }
        actions(terminal, result)?;
    }
    if report.verbose {
        terminal.note(&terminal.error.paint(Style::Dim, &summary(result)));
    }
    Ok(exit(ended))
}

fn exit(ended: &Ended) -> Exit {
    let result = &ended.result;
    let held = result.halted == Some(Halted::DangerousSkill) && !result.suggested_actions.is_empty();
    match result.stop_reason {
        _ if ended.interrupted => Exit::Interrupted,
        _ if held => Exit::Held,
        StopReason::Error => Exit::Failed,
        _ => Exit::Done,
    }
}

/// What a person would wonder about.
fn remarks(result: &TurnResult) -> Vec<String> {
    let mut remarks: Vec<String> = result.downgrade_reason.iter().cloned().collect();
    let calls = result.iterations_used;
    let said = match result.stop_reason {
        StopReason::IterationCap => {
            format!("Stopped after {calls} calls of the model; --max-iterations allows up to 12.")
        }
        StopReason::MaxTokens => "The answer was cut: the model reached its longest output.".to_owned(),
        StopReason::ContextExceeded => "The conversation is too long for the model; begin a new --session.".to_owned(),
        StopReason::Refusal => match &result.refusal {
            Some(why) => format!("The model refused: {why}"),
            None => "The model refused.".to_owned(),
        },
        StopReason::ContentFilter => "The provider's content filter cut the answer.".to_owned(),
        StopReason::Cancelled => "Interrupted.".to_owned(),
        StopReason::Error => "The turn failed.".to_owned(),
        _ => return remarks,
    };
    remarks.push(said);
    remarks
}

/// A plan is what propose mode was asked for; in the other modes what is held is news about the turn.
fn actions(terminal: &Terminal, result: &TurnResult) -> std::io::Result<()> {
    let actions = &result.suggested_actions;
    if actions.is_empty() {
        return Ok(());
    }
    let planned = result.mode == Mode::Propose;
    let stream = if planned { terminal.output } else { terminal.error };
    let title = if planned { "Suggested actions:" } else { "Held until you decide:" };
    let mut lines = vec![String::new(), stream.paint(Style::Bold, title)];
    lines.extend(actions.iter().map(|action| row(stream, action)));
    let ids: Vec<&str> = actions.iter().map(|action| action.id.as_str()).collect();
    let session = match result.session_name.as_str() {
        DEFAULT_SESSION => String::new(),
        name => format!(" --session {}", quoted(name)),
    };
    let command = format!("open-think approve{session} {}", ids.join(" "));
    lines.push(format!("To run:    {command}"));
    lines.push(format!("To refuse: {command} --deny"));
    let text = lines.join("\n");
    if planned {
        terminal.print_line(&text)
    } else {
        terminal.note(&text);
        Ok(())
    }
}

fn row(stream: Stream, action: &SuggestedAction) -> String {
    let danger = if action.dangerous { stream.paint(Style::Bad, " [dangerous]") } else { String::new() };
    let input = action.input.as_ref().map(shortened).unwrap_or_default();
    let reason = action.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let text = format!("{} {input}{reason}", action.skill);
    format!("  {} {}{danger}", stream.paint(Style::Dim, &action.id), stream.foreign(&text))
}

/// As a shell takes it for one word.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_:./".contains(c);
    if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

fn summary(result: &TurnResult) -> String {
    let model = result.model_used.as_ref().map(|model| format!(" · {model}")).unwrap_or_default();
    let tokens = |name: &str, count: Option<u64>| count.map(|count| format!(" · {count} {name}")).unwrap_or_default();
    let usage = &result.usage;
    format!(
        "{}{model} · model calls: {} · skills run: {}{}{}{}",
        result.provider_used,
        result.iterations_used,
        result.trace.len(),
        tokens("tokens in", usage.input_tokens),
        tokens("cached", usage.cached_tokens),
        tokens("tokens out", usage.output_tokens),
    )
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_survives_the_shell() {
        let cases =
            [("conductor:a", "conductor:a"), ("my notes", "'my notes'"), ("it's", r"'it'\''s'"), ("$HOME", "'$HOME'")];
        for (name, expected) in cases {
            assert_eq!(quoted(name), expected);
        }
    }
}
