//! A line on standard error that moves while something is awaited, and is gone before anything else is written.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::Terminal;

const TICK: Duration = Duration::from_millis(100);

pub struct Spinner {
    is_shown: bool,
    bar: Option<ProgressBar>,
}

impl Spinner {
    /// Nothing is ever drawn where standard error is no terminal.
    pub fn new(terminal: &Terminal) -> Self {
        Self { is_shown: terminal.error.is_terminal, bar: None }
    }

    pub fn show(&mut self, message: String) {
        if !self.is_shown {
            return;
        }
        let bar = self.bar.get_or_insert_with(start);
        bar.set_message(message);
    }

    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}

fn start() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("a template written in this file");
    bar.set_style(style);
    bar.enable_steady_tick(TICK);
    bar
}
