//! A turn as it is seen while it runs: its text on standard output, everything else on standard error.

use std::io;

use serde_json::Value;

use crate::cli::flow::{Flow, Piece};
use crate::cli::spinner::Spinner;
use crate::cli::terminal::{Style, Terminal};
use crate::protocol::{Event, TurnResult};

/// Characters of a call's input that are shown on its line.
const INPUT: usize = 200;

#[derive(Clone, Copy)]
pub struct Show {
    /// Without it only the spinner is seen.
    pub turn: bool,
    pub reasoning: bool,
}

pub struct View {
    terminal: Terminal,
    show: Show,
    spinner: Spinner,
    flow: Flow,
    /// What failed last: a line about it is only of use when somebody else is asked then, for an end says it itself.
    failed: Option<String>,
    /// Whether the output's last line is unfinished, and the error's.
    output_midway: bool,
    error_midway: bool,
}

impl View {
    pub fn new(terminal: &Terminal, show: Show) -> Self {
        Self {
            terminal: *terminal,
            show,
            spinner: Spinner::new(terminal),
            flow: Flow::default(),
            failed: None,
            output_midway: false,
            error_midway: false,
        }
    }

    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let failed = self.failed.take().filter(|_| !matches!(event, Event::Error { .. } | Event::LoopDone { .. }));
        if let Some(failed) = failed {
            self.line(&failed, Style::Warning)?;
        }
        match event {
            Event::TurnStart { provider, model, .. } => {
                self.flow.restart();
                let model = model.as_ref().map(|model| format!(" · {model}")).unwrap_or_default();
                self.wait(format!("waiting for {provider}{model}"))?;
            }
            Event::TextDelta { index, text } => {
                let piece = self.flow.delta(*index, text);
                self.write(piece)?;
            }
            Event::TextStop { index, text } => {
                let pieces = self.flow.stop(*index, text);
                self.write(pieces)?;
            }
            Event::ReasoningDelta { text, .. } if self.show.reasoning => self.reasoning(text)?,
            Event::ToolUseStop { name, input, .. } => {
                self.line(&format!("→ {name} {}", shortened(input)), Style::Dim)?;
                self.wait(format!("running {name}"))?;
            }
            Event::ToolResult { skill, ok: true, duration_ms, .. } => {
                self.line(&format!("✓ {skill} {duration_ms} ms"), Style::Good)?;
            }
            Event::ToolResult { skill, error, .. } => {
                let why = error.as_deref().unwrap_or("failed");
                self.line(&format!("✗ {skill}: {why}"), Style::Bad)?;
            }
            Event::AttemptFailed { provider, model, error, .. } => {
                let pieces = self.flow.void();
                self.write(pieces)?;
                let model = model.as_ref().map(|model| format!(" · {model}")).unwrap_or_default();
                self.failed = Some(format!("✗ {provider}{model}: {error}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Leaves the screen to somebody else.
    pub fn pause(&mut self) -> io::Result<()> {
        self.spinner.clear();
        self.end_lines()
    }

    /// Shows of the result what no event has shown.
    pub fn finish(&mut self, result: &TurnResult) -> io::Result<()> {
        self.pause()?;
        let missing = result.assistant_message.as_ref().and_then(|message| self.flow.finish(&message.content));
        self.write(missing)?;
        self.end_lines()
    }

    fn write(&mut self, pieces: impl IntoIterator<Item = Piece>) -> io::Result<()> {
        for piece in pieces {
            match piece {
                Piece::More(text) => self.print(&text)?,
                Piece::Anew(text) => {
                    self.end_lines()?;
                    self.print(&text)?;
                }
                Piece::End => self.end_lines()?,
            }
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        if !self.show.turn || text.is_empty() {
            return Ok(());
        }
        self.spinner.clear();
        self.end_error();
        self.output_midway = !text.ends_with('\n');
        self.terminal.print(&self.terminal.output.foreign(text))
    }

    fn reasoning(&mut self, text: &str) -> io::Result<()> {
        self.spinner.clear();
        self.end_output()?;
        self.error_midway = !text.ends_with('\n');
        let text = self.terminal.error.foreign(text);
        self.terminal.say(&self.terminal.error.paint(Style::Dim, &text));
        Ok(())
    }

    /// A line about what happens, on standard error.
    fn line(&mut self, text: &str, style: Style) -> io::Result<()> {
        if !self.show.turn {
            return Ok(());
        }
        self.pause()?;
        let text = self.terminal.error.foreign(text);
        self.terminal.note(&self.terminal.error.paint(style, &text));
        Ok(())
    }

    fn wait(&mut self, message: String) -> io::Result<()> {
        self.end_lines()?;
        self.spinner.show(message);
        Ok(())
    }

    fn end_lines(&mut self) -> io::Result<()> {
        self.end_error();
        self.end_output()
    }

    fn end_error(&mut self) {
        if std::mem::take(&mut self.error_midway) {
            self.terminal.note("");
        }
    }

    fn end_output(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.output_midway) { self.terminal.print("\n") } else { Ok(()) }
    }
}

/// On one line, and not all of it.
pub fn shortened(input: &Value) -> String {
    let text = input.to_string();
    match text.char_indices().nth(INPUT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
