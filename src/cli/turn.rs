//! Runs one turn from a command: shows its events, puts its questions, and lets Ctrl-C stop it.

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::client::{CallError, Client, Inbound, Message};
use crate::cli::question;
use crate::cli::terminal::Terminal;
use crate::cli::view::View;
use crate::protocol::{InterruptParams, MessageResult, Method, TurnResult, names};

pub struct Ended {
    pub result: Box<TurnResult>,
    pub interrupted: bool,
}

/// None when Ctrl-C came twice. Events and the answer are awaited side by side: the answer may wait for a question.
pub async fn run<M: Method<Result = MessageResult>>(
    client: &Client,
    inbound: &mut Inbound,
    terminal: &Terminal,
    view: &mut View,
    (session, params): (&str, &M::Params),
) -> anyhow::Result<Option<Ended>> {
    let mut signals = signal(SignalKind::interrupt())?;
    let mut interrupted = false;
    let call = client.call::<M>(params);
    tokio::pin!(call);
    let answer = loop {
        // What has happened is shown before what comes of it, and Ctrl-C before either.
        tokio::select! {
            biased;
            _ = signals.recv() => {
                if interrupted {
                    view.pause()?;
                    return Ok(None);
                }
                interrupted = true;
                interrupt(client, session);
            }
            Some(message) = inbound.recv() => show(message, terminal, view)?,
            answer = &mut call => break answer,
        }
    };
    while let Ok(message) = inbound.try_recv() {
        show(message, terminal, view)?;
    }
    let result = ended(answer);
    match &result {
        Ok(result) => view.finish(result)?,
        Err(_) => view.pause()?,
    }
    Ok(Some(Ended { result: result?, interrupted }))
}

fn show(message: Message, terminal: &Terminal, view: &mut View) -> std::io::Result<()> {
    match message {
        Message::Event(params) => view.event(&params.event),
        Message::Approval(params, answer) => {
            view.pause()?;
            question::approval(*terminal, params, answer);
            Ok(())
        }
    }
}

/// The turn then ends with a result of its own.
fn interrupt(client: &Client, session: &str) {
    let client = client.clone();
    let params = InterruptParams { session_name: session.to_owned() };
    tokio::spawn(async move { client.call::<names::ConductorInterrupt>(&params).await });
}

fn ended(answer: Result<MessageResult, CallError>) -> anyhow::Result<Box<TurnResult>> {
    match answer? {
        MessageResult::Ended(result) => Ok(result),
        MessageResult::Accepted { turn_id } => bail!("the daemon accepted turn {turn_id} instead of running it"),
    }
}
