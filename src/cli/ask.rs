//! `ask`: says something to Helm and shows the turn.

use clap::{Args, ValueEnum};

use crate::cli::client::{Client, Inbound};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::outcome::{self, Report};
use crate::cli::terminal::Terminal;
use crate::cli::view::{Show, View};
use crate::cli::{input, turn};
use crate::protocol::{Content, DEFAULT_SESSION, MessageParams, Mode, Wait, names};

#[derive(Args)]
pub struct AskArgs {
    /// What to say; `-`, or nothing, reads it from standard input. Text that is piped in beside it follows it
    #[arg(value_name = "TEXT")]
    text: Vec<String>,

    /// What Helm may do by itself
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ModeChoice::Selective)]
    mode: ModeChoice,

    /// The plugin to answer, as `open-think providers` lists them
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    provider: Option<String>,

    /// The model to answer
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    model: Option<String>,

    /// Tried next when the first choice fails: PROVIDER/MODEL, a provider, or a model; may be repeated
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    fallback: Vec<String>,

    /// Calls of the model that the turn may make
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=12), help_heading = "Model")]
    max_iterations: u32,

    /// The conversation to go on with; made when it is new
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SESSION)]
    session: String,

    #[command(flatten)]
    display: Display,
}

/// How a turn is shown.
#[derive(Args, Clone, Copy)]
pub struct Display {
    /// Print the turn's result as one JSON document, and nothing else
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Show the model's reasoning, where it gives any
    #[arg(long, help_heading = "Output")]
    reasoning: bool,

    /// Say at the end which model answered and what it used
    #[arg(long, short, help_heading = "Output")]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeChoice {
    /// Plan only: list the skills that would help
    Propose,
    /// Run safe skills; dangerous ones wait for approval
    Selective,
    /// Run every skill without asking
    Auto,
}

pub async fn run(args: AskArgs, terminal: &Terminal, client: &Client, inbound: &mut Inbound) -> anyhow::Result<Exit> {
    let params = MessageParams {
        thread_id: None,
        steer: false,
        content: Content::Text(content(&args.text, terminal)?),
        session_name: args.session.clone(),
        mode: Some(match args.mode {
            ModeChoice::Propose => Mode::Propose,
            ModeChoice::Selective => Mode::Selective,
            ModeChoice::Auto => Mode::Auto,
        }),
        provider: args.provider,
        model: args.model,
        max_iterations: args.max_iterations,
        fallback_models: args.fallback,
        per_model_timeout_ms: None,
        stream: true,
        wait: Wait::End,
        include_raw: false,
        detach: false,
        queue: true,
        work_done_token: None,
    };
    let mut view = args.display.view(terminal);
    let turn = (args.session.as_str(), &params);
    let ended = turn::run::<names::ConductorMessage>(client, inbound, terminal, &mut view, turn).await?;
    args.display.report(terminal, ended)
}

impl Display {
    pub fn view(self, terminal: &Terminal) -> View {
        View::new(terminal, Show { turn: !self.json, reasoning: self.reasoning && !self.json })
    }

    pub fn report(self, terminal: &Terminal, ended: Result<turn::Ended, Exit>) -> anyhow::Result<Exit> {
        let report = Report { json: self.json, verbose: self.verbose };
        ended.map_or_else(Ok, |ended| outcome::report(terminal, report, &ended))
    }
}

/// A text alone, standard input alone, or the one above the other.
fn content(words: &[String], terminal: &Terminal) -> anyhow::Result<String> {
    let (waits, words) = match words.split_last() {
        Some((last, words)) if last == "-" => (true, words),
        None => (!terminal.input_is_terminal(), words),
        Some(_) => (false, words),
    };
    let said = words.join(" ");
    let said = said.trim();
    let piped = match waits {
        true => Some(input::standard_input()?),
        false if said.is_empty() => None,
        false => input::piped_input(terminal)?,
    };
    let parts: Vec<&str> = [Some(said), piped.as_deref().map(str::trim)].into_iter().flatten().collect();
    let content = parts.join("\n\n").trim().to_owned();
    if content.is_empty() {
        let hint = r#"As in: open-think ask "check runtime health""#;
        return Err(UsageError::new("there is nothing to say", hint).into());
    }
    Ok(content)
}
