//! The engine against an app-server that is made of what was recorded of the real one.

mod fake;
mod fold;
mod late;
mod questions;
mod recovery;
mod sessions;
mod steering;
mod terms;
mod threads;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::{CodexEngine, Settings};
use crate::codex::AppServer;
use crate::config::Sandbox;
use crate::model::{
    Answer, BlockStart, Delta, Ending, Engine, Happening, Message, Mode, Place, ProviderError, Role, Run, Task, Thread,
    ToolSpec,
};
use crate::policy::Redactor;
use fake::Fake;

/// An engine, and the app-server that it reaches.
fn bench() -> (CodexEngine, Fake) {
    let fake = Fake::new();
    (engine(fake.connects()), fake)
}

fn engine(connects: mpsc::Sender<DuplexStream>) -> CodexEngine {
    let open = |listener| crate::codex::link::served(connects, listener);
    let server =
        AppServer::over(open, crate::config::AppServer::default(), Duration::from_secs(30), Redactor::default());
    let settings = Settings {
        id: "codex",
        sandbox: Sandbox::WorkspaceWrite,
        cwd: Some("/project".to_owned()),
        is_here: true,
        default_model: None,
        redactor: Redactor::new(["sk-secret-1".to_owned()]),
    };
    CodexEngine::new(server, settings)
}

fn place(mode: Mode, thread: Option<Thread>) -> Place {
    let tool = ToolSpec {
        name: "admin-echo".to_owned(),
        description: "Says it again".to_owned(),
        input_schema: json!({ "type": "object", "properties": {} }).into(),
    };
    let tools: Arc<[ToolSpec]> = vec![tool].into();
    Place { session: "s".to_owned(), mode, thread, model: None, cwd: None, system: "You are Helm.".to_owned(), tools }
}

fn task(place: Place, messages: &[(u64, Role, &str)]) -> Task {
    let messages = messages.iter().map(|(id, role, text)| (*id, Message::text(*role, *text)));
    Task { place, messages: messages.collect(), known: 0 }
}

async fn begin(engine: &CodexEngine, mode: Mode, thread: &Option<Thread>, text: &str) -> Box<dyn Run> {
    engine.begin(task(place(mode, thread.clone()), &[(1, Role::User, text)])).await.expect("a turn")
}

/// A turn on a thread that is warm, as far as the first thing that is told of it.
async fn at_work(engine: &CodexEngine, fake: &Fake, mode: Mode) -> (Box<dyn Run>, Option<Thread>) {
    let thread = engine.warm(place(mode, None)).await;
    assert!(thread.is_some());
    let mut run = begin(engine, mode, &thread, "do it").await;
    assert_eq!(run.next().await.expect("the model"), Happening::Model("gpt-5.5".to_owned()));
    fake.wait("turn/start").await;
    (run, thread)
}

/// Everything up to the end.
async fn rest(run: &mut Box<dyn Run>) -> (Vec<Happening>, Result<Ending, ProviderError>) {
    let mut happenings = Vec::new();
    loop {
        match run.next().await {
            Ok(Happening::Ended(ending)) => return (happenings, Ok(ending)),
            Ok(happening) => happenings.push(happening),
            Err(error) => return (happenings, Err(error)),
        }
    }
}

async fn next(run: &mut Box<dyn Run>) -> Happening {
    run.next().await.expect("something happens")
}

fn started(index: u32) -> Happening {
    Happening::Said(Delta::Start { index, block: BlockStart::Text })
}

fn said(index: u32, text: &str) -> Happening {
    Happening::Said(Delta::Text { index, text: text.to_owned() })
}

fn stopped(index: u32) -> Happening {
    Happening::Said(Delta::Stop { index })
}

fn result(text: &str) -> Answer {
    Answer::Result { text: text.to_owned(), is_error: false }
}
