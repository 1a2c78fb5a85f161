//! One turn, followed to its end, as the deltas of an answer. Dropping it stops the turn and lets go of the thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::codex::app_server::raw;
use crate::codex::desk::declined;
use crate::codex::engine::errors::{fault_error, link_error};
use crate::codex::engine::fold::{Fold, Told};
use crate::codex::engine::stop::stop;
use crate::codex::engine::wire::{Begun, Tokens, notice};
use crate::codex::link::{Heard, Link, LinkError};
use crate::codex::{AppServer, Following, immediate_text, started_thread};
use crate::model::{BlockStart, Delta, Ending, ErrorKind, Happening, ProviderError, Stop, Usage};
use crate::rpc::Id;

/// How long after a call the rest of the answer may take: there may be more calls in it, and what it cost is told at its
/// end.
const REST: Duration = Duration::from_millis(300);

pub struct Turn {
    server: Arc<AppServer>,
    following: Following,
    thread: String,
    model: Option<String>,
    kind: Kind,
    quiet: Duration,
    /// It was asked for, and has not been answered.
    starting: Option<BoxFuture<'static, Result<Box<RawValue>, LinkError>>>,
    /// Once it has begun.
    fold: Option<Fold>,
    usage: Usage,
    /// Tools that were called, and whether the turn was told to end for that.
    calls: u32,
    is_interrupted: bool,
    /// Whether anything was said that cannot be taken back.
    has_spoken: bool,
    is_over: bool,
    /// Fires when it has ended.
    over: CancellationToken,
    ready: VecDeque<Result<Delta, ProviderError>>,
}

enum Kind {
    Ephemeral,
    /// With the settings that are to hold again afterwards.
    Kept {
        restore: Value,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    model: Option<String>,
    #[serde(default)]
    approval_policy: Value,
    #[serde(default)]
    sandbox: Value,
    #[serde(default)]
    thread: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    call_id: String,
    tool: String,
    #[serde(default)]
    arguments: Value,
}

impl Turn {
    pub async fn start(server: &Arc<AppServer>, params: &Value, quiet: Duration) -> Result<Self, ProviderError> {
        let (thread, opened) = open(server, "thread/start", params).await?;
        let following = server.hub().follow(&thread);
        Ok(Self::of(server, (following, thread, opened.model), Kind::Ephemeral, quiet))
    }

    pub async fn resume(server: &Arc<AppServer>, thread: &str, quiet: Duration) -> Result<Self, ProviderError> {
        let busy = |why: &str| Err(ProviderError::new(ErrorKind::Unavailable, format!("thread {thread} {why}")));
        if server.hub().is_helms(thread) {
            return busy("is at work, or belongs to a session");
        }
        let following = server.hub().follow(thread);
        let params = json!({ "threadId": thread, "excludeTurns": true });
        let (thread_id, opened) = open(server, "thread/resume", &params).await?;
        if opened.thread.pointer("/status/type").is_some_and(|status| status == "active") {
            return busy("is at work");
        }
        let restore = json!({
            "threadId": thread_id, "approvalPolicy": opened.approval_policy, "sandboxPolicy": opened.sandbox,
        });
        Ok(Self::of(server, (following, thread_id, opened.model), Kind::Kept { restore }, quiet))
    }

    fn of(
        server: &Arc<AppServer>,
        (following, thread, model): (Following, String, Option<String>),
        kind: Kind,
        quiet: Duration,
    ) -> Self {
        Self {
            server: Arc::clone(server),
            following,
            thread,
            model,
            kind,
            quiet,
            starting: None,
            fold: None,
            usage: Usage::default(),
            calls: 0,
            is_interrupted: false,
            has_spoken: false,
            is_over: false,
            over: CancellationToken::new(),
            ready: VecDeque::new(),
        }
    }

    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The one that answers, as the app-server has it.
    pub fn model(&self) -> Option<String> {
        self.model.clone()
    }

    /// What was said before.
    pub async fn tell(&mut self, items: Vec<Value>) -> Result<(), ProviderError> {
        let params = json!({ "threadId": self.thread, "items": items });
        let told = self.server.link().call::<Value>("thread/inject_items", &params).await;
        told.map(drop).map_err(|error| link_error("thread/inject_items", &error))
    }

    pub async fn begin(&mut self, params: &Value) -> Result<(), ProviderError> {
        let (link, params) = (self.server.link().clone(), raw(params));
        // Kept here: whoever stops waiting leaves a turn that has to be stopped when it is known.
        let starting = self.starting.insert(async move { link.request("turn/start", &params, None).await }.boxed());
        let begun = starting.await;
        self.starting = None;
        let begun = begun.map_err(|error| link_error("turn/start", &error))?;
        if let Some(text) = immediate_text(&begun) {
            self.say_at_once(text);
            return Ok(());
        }
        let turn = begun_turn(&begun).ok_or_else(|| strange("turn/start"))?;
        let accounted = matches!(self.kind, Kind::Ephemeral).then(Tokens::default);
        self.fold = Some(Fold::new(turn, accounted));
        Ok(())
    }

    /// None at the end.
    pub async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            if self.is_over {
                return None;
            }
            let waits_for_rest = self.calls > 0 && !self.is_interrupted;
            match timeout(if waits_for_rest { REST } else { self.quiet }, self.following.next()).await {
                Err(_) if waits_for_rest => {
                    self.is_interrupted = true;
                    self.interrupt();
                }
                Ok(Some(heard)) => self.heard(heard).await,
                Ok(None) => self.fail(ProviderError::new(ErrorKind::Protocol, "somebody else follows the thread now")),
                Err(_) => {
                    let message = format!("the Codex app-server has said nothing for {} s", self.quiet.as_secs());
                    self.fail(ProviderError::new(ErrorKind::Timeout, message));
                }
            }
        }
    }

    async fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Up(_) => {}
            Heard::Down(fault) => self.fail(fault_error(&fault)),
            Heard::Request { id, method, params } => self.asked(&id, &method, &params),
            Heard::Notification { method, params } => {
                let told = match (&mut self.fold, notice(&method, &params)) {
                    (Some(fold), Some(notice)) => fold.push(notice),
                    _ => return,
                };
                let Told { happenings, end } = told;
                happenings.into_iter().for_each(|happening| self.happened(happening));
                if let Some(end) = end {
                    self.ended(end).await;
                }
            }
        }
    }

    /// A tool is somebody else's to run; with its call the answer is complete. All else is declined.
    fn asked(&mut self, id: &Id, method: &str, params: &RawValue) {
        let call = (method == "item/tool/call").then(|| serde_json::from_str::<Call>(params.get()).ok()).flatten();
        let (Some(call), Kind::Ephemeral) = (call, &self.kind) else {
            let reply = declined(method, "nothing is run in a chat");
            self.server.link().respond(id, reply.as_deref());
            return;
        };
        // Beyond the indexes of all that is said.
        let index = u32::MAX - self.calls;
        self.calls += 1;
        let block = BlockStart::ToolCall { id: call.call_id, name: call.tool };
        self.push(Delta::Start { index, block });
        self.push(Delta::Arguments { index, partial: call.arguments.to_string() });
        self.push(Delta::Stop { index });
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Said(delta) => self.push(delta),
            Happening::Model(model) => self.ready.push_back(Ok(Delta::Model(model))),
            Happening::Responded(usage) => {
                self.usage.add(usage);
                self.ready.push_back(Ok(Delta::Usage(self.usage)));
            }
            Happening::Void(reason) if self.has_spoken && !self.is_over => {
                let message = format!("the answer broke off and was begun anew: {reason}");
                self.fail(ProviderError::new(ErrorKind::Truncated, message));
            }
            Happening::Void(_) => {}
            Happening::Warning(warning) => tracing::info!(warning, "the app-server warns"),
            Happening::Thread(_) | Happening::Call(_) | Happening::Asked(_) => {}
            Happening::Settled { .. } | Happening::Did(_) | Happening::Steered { .. } | Happening::Ended(_) => {}
        }
    }

    async fn ended(&mut self, end: Result<Ending, ProviderError>) {
        if self.is_over {
            return;
        }
        self.restore().await;
        let stop = match end {
            Ok(_) if self.calls > 0 => Ok(Stop::ToolUse),
            Ok(Ending::Done) => Ok(Stop::EndTurn),
            Ok(Ending::Interrupted) => {
                Err(ProviderError::new(ErrorKind::Truncated, "the turn was interrupted by somebody else"))
            }
            Err(error) => Err(self.server.explain(error).await),
        };
        self.ready.push_back(stop.map(Delta::Finished));
        self.is_over = true;
        self.let_go();
    }

    /// A shim that answers with the whole turn.
    fn say_at_once(&mut self, text: String) {
        let said = [
            Delta::Start { index: 0, block: BlockStart::Text },
            Delta::Text { index: 0, text },
            Delta::Stop { index: 0 },
            Delta::Finished(Stop::EndTurn),
        ];
        self.ready.extend(said.map(Ok));
        self.is_over = true;
    }

    fn push(&mut self, delta: Delta) {
        self.has_spoken = true;
        self.ready.push_back(Ok(delta));
    }

    fn fail(&mut self, error: ProviderError) {
        self.ready.push_back(Err(error));
        self.stop();
    }

    /// Before the end is told, so that whoever asks next finds the thread as it was.
    async fn restore(&mut self) {
        if let Kind::Kept { restore } = &self.kind {
            let restored = self.server.link().call::<Value>("thread/settings/update", restore).await;
            if let Err(error) = restored {
                tracing::warn!(thread = self.thread, %error, "a thread stays read-only");
            }
        }
    }

    fn interrupt(&self) {
        let Some(turn) = self.fold.as_ref().map(|fold| fold.turn().to_owned()) else { return };
        let (link, thread, over) = (self.server.link().clone(), self.thread.clone(), self.over.clone());
        spawn(async move { stop(&link, &thread, &turn, over).await });
    }

    /// Before its end, which may be before it is known to have begun.
    fn stop(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let starting = self.starting.take();
        let known = self.fold.as_ref().map(|fold| fold.turn().to_owned());
        let (link, thread) = (self.server.link().clone(), self.thread.clone());
        let mut words = Vec::new();
        if let Kind::Kept { restore } = &self.kind {
            words.push(("thread/settings/update", restore.clone()));
        }
        words.extend(self.farewell());
        spawn(async move {
            let begun = match starting {
                Some(starting) => starting.await.ok().and_then(|begun| begun_turn(&begun)),
                None => known,
            };
            let stopped = async {
                if let Some(turn) = begun {
                    stop(&link, &thread, &turn, CancellationToken::new()).await;
                }
            };
            let said = join_all(words.into_iter().map(|(method, params)| say(&link, method, params)));
            tokio::join!(stopped, said);
        });
    }

    fn let_go(&self) {
        self.over.cancel();
        if let Some((method, params)) = self.farewell() {
            let link = self.server.link().clone();
            spawn(async move { say(&link, method, params).await });
        }
    }

    /// A thread that nobody hears of any more is unloaded.
    fn farewell(&self) -> Option<(&'static str, Value)> {
        let is_watched = self.server.is_watched(&self.thread);
        (!is_watched).then(|| ("thread/unsubscribe", json!({ "threadId": self.thread })))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.stop();
    }
}

/// In the background; nothing where the process ends.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}

async fn say(link: &Link, method: &'static str, params: Value) {
    if let Err(error) = link.request(method, &raw(&params), None).await {
        tracing::debug!(method, %error, "nothing more could be said of a turn");
    }
}

fn begun_turn(begun: &RawValue) -> Option<String> {
    let Begun { turn } = serde_json::from_str(begun.get()).ok()?;
    Some(turn.id)
}

async fn open(server: &AppServer, method: &str, params: &Value) -> Result<(String, Opened), ProviderError> {
    let opened = server.link().request(method, &raw(params), None).await;
    let opened = opened.map_err(|error| link_error(method, &error))?;
    let thread = started_thread(&opened).ok_or_else(|| strange(method))?;
    Ok((thread, serde_json::from_str(opened.get()).map_err(|_| strange(method))?))
}

fn strange(method: &str) -> ProviderError {
    let message = format!("the answer to {method} is not as expected of a Codex app-server");
    ProviderError::new(ErrorKind::Protocol, message)
}
