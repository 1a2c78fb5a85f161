//! Questions to the person at the terminal.

use std::io;

use tokio::sync::oneshot;

use crate::cli::terminal::{Style, Terminal};
use crate::protocol::{ApprovalAnswer, ApprovalParams, Decision, SuggestedAction};

/// Shows the actions and asks. `later` is said by giving no answer.
pub fn approval(terminal: Terminal, params: ApprovalParams, answer: oneshot::Sender<ApprovalAnswer>) {
    // A read of a terminal cannot be stopped; on a thread of its own it holds up nothing.
    tokio::task::spawn_blocking(move || {
        for action in &params.actions {
            terminal.note(&shown(&terminal, action));
        }
        let them = if params.actions.len() == 1 { "it" } else { "them" };
        let decision = loop {
            match ask(&terminal, &format!("Run {them}? [y]es / [n]o / [l]ater ")).as_deref() {
                Some("y" | "yes") => break Decision::Approve,
                Some("n" | "no") => break Decision::Deny,
                None | Some("l" | "later") => return,
                Some(_) => {}
            }
        };
        // The turn may have ended meanwhile.
        let _ = answer.send(ApprovalAnswer { decision, input: None });
    });
}

/// Only a clear yes is one.
pub fn confirm(terminal: &Terminal, question: &str) -> bool {
    matches!(ask(terminal, &format!("{question} [y/N] ")).as_deref(), Some("y" | "yes"))
}

/// The answer in lower case; none at the end of input.
fn ask(terminal: &Terminal, question: &str) -> Option<String> {
    terminal.say(&terminal.error.paint(Style::Bold, question));
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(1..) => Some(line.trim().to_lowercase()),
        Ok(0) | Err(_) => {
            terminal.note("");
            None
        }
    }
}

fn shown(terminal: &Terminal, action: &SuggestedAction) -> String {
    let danger = if action.dangerous { terminal.error.paint(Style::Bad, " [dangerous]") } else { String::new() };
    let skill = terminal.error.paint(Style::Bold, &terminal.error.foreign(&action.skill));
    let input = action.input.as_ref().map(|input| format!("{input:#}")).unwrap_or_default();
    format!("{skill}{danger} {}", terminal.error.foreign(&input))
}
