//! The only writer of standard output and error in a command: what goes where, in which colours, and how wide.
//!
//! Standard output is for what was asked for. Everything else goes to standard error, and whoever closed that does not
//! want to hear, so its faults are ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    pub output: Stream,
    pub error: Stream,
    input_is_terminal: bool,
}

/// One of the two streams, as far as it matters for what is written to it.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub is_terminal: bool,
    colours: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Style {
    Bold,
    Dim,
    Good,
    Warning,
    Bad,
}

impl Terminal {
    pub fn new(choice: ColorChoice, environment: &BTreeMap<String, OsString>) -> Self {
        let plain = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty())
            || environment.get("TERM").is_some_and(|term| term == "dumb");
        let stream = |is_terminal: bool| Stream {
            is_terminal,
            colours: match choice {
                ColorChoice::Auto => is_terminal && !plain,
                ColorChoice::Always => true,
                ColorChoice::Never => false,
            },
        };
        Self {
            output: stream(io::stdout().is_terminal()),
            error: stream(io::stderr().is_terminal()),
            input_is_terminal: io::stdin().is_terminal(),
        }
    }

    pub fn input_is_terminal(&self) -> bool {
        self.input_is_terminal
    }

    /// Whether somebody sits there who can answer a question.
    pub fn can_ask(&self) -> bool {
        self.input_is_terminal && self.error.is_terminal
    }

    /// Columns of the terminal that reads the output; none for a file or a pipe, whose lines are never broken.
    pub fn width(&self) -> Option<usize> {
        let size = terminal_size::terminal_size_of(io::stdout());
        size.filter(|_| self.output.is_terminal).map(|(width, _)| usize::from(width.0).max(40))
    }

    /// Writes to standard output, at once.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads any more, which ends the program quietly.
    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    pub fn print_line(&self, text: &str) -> io::Result<()> {
        self.print(&format!("{text}\n"))
    }

    /// A document on standard output: for eyes on a terminal, else on one line.
    pub fn print_json<T: serde::Serialize>(&self, value: &T) -> anyhow::Result<()> {
        let text =
            if self.output.is_terminal { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
        Ok(self.print_line(&text)?)
    }

    /// Writes to standard error without ending the line.
    pub fn say(&self, text: &str) {
        let mut error = io::stderr().lock();
        let _ = error.write_all(text.as_bytes());
        let _ = error.flush();
    }

    /// One line on standard error.
    pub fn note(&self, text: &str) {
        self.say(&format!("{text}\n"));
    }
}

impl Stream {
    /// A file.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { is_terminal: false, colours: false }
    }

    pub fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What others wrote: on a terminal its control characters could do more than be seen.
    pub fn foreign(self, text: &str) -> Cow<'_, str> {
        let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
        if !self.is_terminal || text.chars().all(harmless) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect())
    }
}
