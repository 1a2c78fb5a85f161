//! What the app-server asks that belongs to no turn of Helm's: kept open for clients, and declined in the end.
//!
//! The first answer counts. What nobody answers by its deadline is answered with no, whether a client listens or not, for
//! one may join. What the app-server settles itself is forgotten, and all of it when the connection breaks: what is still
//! open there is asked again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::app_server::raw;
use super::hub::thread_of;
use super::link::Heard;
use crate::rpc::Id;

/// Questions open at once; more are declined as they come.
const OPEN: usize = 256;
/// Answers on their way to the link, and ends of questions on their way to clients.
const UNDER_WAY: usize = 1024;
/// The app-server itself waits 10 s for fresh tokens.
const TOKENS: Duration = Duration::from_secs(8);
/// Of the errors that stand for no.
const DECLINED: i32 = -32000;

pub type Reply = Result<Box<RawValue>, ErrorObjectOwned>;

pub struct Desk {
    table: Mutex<Table>,
    replies: mpsc::Sender<(Id, Reply)>,
    settled: broadcast::Sender<Settled>,
    /// How long a client may take to answer.
    patience: Duration,
}

#[derive(Default)]
struct Table {
    last: u64,
    open: BTreeMap<u64, Open>,
}

struct Open {
    question: Arc<Question>,
    /// The app-server's own id for it.
    asked: Id,
    timer: AbortHandle,
}

#[derive(Debug)]
pub struct Question {
    /// Ours, which is never used twice.
    number: u64,
    pub method: Arc<str>,
    pub params: Arc<RawValue>,
    pub thread: Option<String>,
    deadline: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub id: String,
    pub how: Resolution,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Answered,
    Declined,
    /// By the app-server, or another of its connections.
    Elsewhere,
    /// With the connection.
    Lost,
}

impl Question {
    pub fn id(&self) -> String {
        format!("q{}", self.number)
    }

    /// How long an answer is waited for, from now.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Desk {
    /// What is answered comes out of the second.
    pub fn new(patience: Duration) -> (Arc<Self>, mpsc::Receiver<(Id, Reply)>) {
        let (replies, outbox) = mpsc::channel(UNDER_WAY);
        let settled = broadcast::channel(UNDER_WAY).0;
        (Arc::new(Self { table: Mutex::default(), replies, settled, patience }), outbox)
    }

    /// What the link heard, but for the questions of threads that somebody follows.
    pub fn hear(self: &Arc<Self>, heard: &Heard) {
        match heard {
            Heard::Up(_) => {}
            Heard::Down(_) => {
                let lost = std::mem::take(&mut self.table().open);
                lost.into_values().for_each(|open| self.close(&open, Resolution::Lost));
            }
            Heard::Notification { method, params } if &**method == "serverRequest/resolved" => self.resolved(params),
            Heard::Notification { .. } => {}
            Heard::Request { id, method, params } => self.asked(id, method, params),
        }
    }

    /// Those that wait for an answer, the oldest first.
    pub fn open(&self) -> Vec<Arc<Question>> {
        self.table().open.values().map(|open| Arc::clone(&open.question)).collect()
    }

    /// The one that the app-server asked under this id, if it still waits.
    pub fn find(&self, asked: &Id) -> Option<Arc<Question>> {
        self.table().open.values().find(|open| open.asked == *asked).map(|open| Arc::clone(&open.question))
    }

    /// Whether the question was still open.
    pub fn answer(&self, id: &str, reply: Reply) -> bool {
        let number = id.strip_prefix('q').and_then(|number| number.parse().ok());
        number.is_some_and(|number| self.settle(number, reply, Resolution::Answered))
    }

    /// How questions end, from now on.
    pub fn settled(&self) -> broadcast::Receiver<Settled> {
        self.settled.subscribe()
    }

    fn asked(self: &Arc<Self>, id: &Id, method: &Arc<str>, params: &Arc<RawValue>) {
        if &**method == "currentTime/read" {
            return self.reply(id.clone(), Ok(raw(&json!({ "currentTimeAt": unix_seconds() }))));
        }
        let mut table = self.table();
        // Asked again because the thread was resumed.
        if table.open.values().any(|open| open.asked == *id) {
            return;
        }
        if table.open.len() >= OPEN {
            drop(table);
            tracing::warn!(%method, "the app-server asks too much at once; this is declined");
            return self.reply(id.clone(), declined(method, "too many questions wait for an answer"));
        }
        table.last += 1;
        let number = table.last;
        let patience = if &**method == "account/chatgptAuthTokens/refresh" { TOKENS } else { self.patience };
        let deadline = Instant::now() + patience;
        let (method, params, thread) = (Arc::clone(method), Arc::clone(params), thread_of(params));
        let question = Arc::new(Question { number, method, params, thread, deadline });
        let timer = tokio::spawn(Arc::clone(self).expire(Arc::clone(&question))).abort_handle();
        table.open.insert(number, Open { question, asked: id.clone(), timer });
    }

    async fn expire(self: Arc<Self>, question: Arc<Question>) {
        tokio::time::sleep_until(question.deadline).await;
        tracing::info!(method = %question.method, "nobody answered the app-server; this is declined");
        let reply = declined(&question.method, "nobody answered in time");
        self.settle(question.number, reply, Resolution::Declined);
    }

    fn resolved(&self, params: &RawValue) {
        #[derive(Deserialize)]
        struct Resolved {
            #[serde(rename = "requestId")]
            request_id: Box<RawValue>,
        }
        let resolved: Option<Resolved> = serde_json::from_str(params.get()).ok();
        let Some(asked) = resolved.and_then(|resolved| Id::parse(&resolved.request_id)) else { return };
        let mut table = self.table();
        let number = table.open.iter().find(|(_, open)| open.asked == asked).map(|(number, _)| *number);
        let open = number.and_then(|number| table.open.remove(&number));
        drop(table);
        if let Some(open) = open {
            self.close(&open, Resolution::Elsewhere);
        }
    }

    fn settle(&self, number: u64, reply: Reply, how: Resolution) -> bool {
        let Some(open) = self.table().open.remove(&number) else { return false };
        self.reply(open.asked.clone(), reply);
        self.close(&open, how);
        true
    }

    fn close(&self, open: &Open, how: Resolution) {
        // There may be no client that wants to know.
        let _ = self.settled.send(Settled { id: open.question.id(), how });
        open.timer.abort();
    }

    fn reply(&self, id: Id, reply: Reply) {
        if self.replies.try_send((id, reply)).is_err() {
            tracing::warn!("the app-server asks faster than it can be answered; a question stays open there");
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No, in the words of the question.
pub fn declined(method: &str, why: &str) -> Reply {
    let no = match method {
        "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => json!({ "decision": "decline" }),
        "applyPatchApproval" | "execCommandApproval" => json!({ "decision": "denied" }),
        "mcpServer/elicitation/request" => json!({ "action": "decline" }),
        "item/tool/call" => json!({ "success": false, "contentItems": [{ "type": "inputText", "text": why }] }),
        _ => return Err(ErrorObjectOwned::owned(DECLINED, why, None::<()>)),
    };
    Ok(raw(&no))
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outbox = mpsc::Receiver<(Id, Reply)>;

    fn open_desk() -> (Arc<Desk>, Outbox) {
        Desk::new(Duration::from_secs(120))
    }

    fn text(json: &str) -> Arc<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON").into()
    }

    fn id(token: &str) -> Id {
        Id::parse(&text(token)).expect("an id")
    }

    fn request(token: &str, method: &str) -> Heard {
        Heard::Request { id: id(token), method: method.into(), params: text(r#"{"threadId":"t1"}"#) }
    }

    fn down() -> Heard {
        use crate::codex::link::{Fault, FaultKind};
        Heard::Down(Arc::new(Fault::new(FaultKind::Broken, "it broke")))
    }

    /// What is sent to the app-server next, as `id result` or `id !error`.
    #[track_caller]
    fn sent(outbox: &mut Outbox) -> String {
        match outbox.try_recv().expect("something was answered") {
            (id, Ok(result)) => format!("{id} {result}"),
            (id, Err(error)) => format!("{id} !{}", error.message()),
        }
    }

    /// What becomes of a question that nobody answers.
    async fn check(method: &str, after: u64, expected: &str) {
        let (desk, mut outbox) = open_desk();
        desk.hear(&request("7", method));
        tokio::time::sleep(Duration::from_secs(after) - Duration::from_millis(1)).await;
        assert!(outbox.try_recv().is_err(), "{method} is answered too early");
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(sent(&mut outbox), expected, "{method}");
        assert!(desk.open().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_answers_is_declined_in_its_own_words() {
        check("item/commandExecution/requestApproval", 120, r#"7 {"decision":"decline"}"#).await;
        check("item/fileChange/requestApproval", 120, r#"7 {"decision":"decline"}"#).await;
        check("execCommandApproval", 120, r#"7 {"decision":"denied"}"#).await;
        check("applyPatchApproval", 120, r#"7 {"decision":"denied"}"#).await;
        check("mcpServer/elicitation/request", 120, r#"7 {"action":"decline"}"#).await;
        let call = r#"7 {"success":false,"contentItems":[{"type":"inputText","text":"nobody answered in time"}]}"#;
        check("item/tool/call", 120, call).await;
        check("item/tool/requestUserInput", 120, "7 !nobody answered in time").await;
        check("something/newer", 120, "7 !nobody answered in time").await;
        check("account/chatgptAuthTokens/refresh", 8, "7 !nobody answered in time").await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_counts_and_the_deadline_no_more() {
        let (desk, mut outbox) = open_desk();
        let mut settled = desk.settled();
        desk.hear(&request("0", "item/fileChange/requestApproval"));
        let question = desk.open().remove(0);
        assert_eq!((question.thread.as_deref(), question.left()), (Some("t1"), Duration::from_secs(120)));
        let accept = || Ok(RawValue::from_string(r#"{"decision": "accept"}"#.to_owned()).expect("JSON"));
        assert!(desk.answer(&question.id(), accept()));
        assert!(!desk.answer(&question.id(), accept()), "the second one is late");
        assert!(!desk.answer("nonsense", accept()));
        assert_eq!(sent(&mut outbox), r#"0 {"decision": "accept"}"#);
        tokio::time::sleep(Duration::from_secs(500)).await;
        assert!(outbox.try_recv().is_err(), "answered twice");
        assert_eq!(settled.try_recv(), Ok(Settled { id: question.id(), how: Resolution::Answered }));
        assert!(settled.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_settled_elsewhere_or_lost_is_not_answered() {
        let (desk, mut outbox) = open_desk();
        let mut settled = desk.settled();
        desk.hear(&request("0", "item/fileChange/requestApproval"));
        desk.hear(&request("\"b\"", "item/fileChange/requestApproval"));
        let params = text(r#"{"threadId":"t1","requestId":"b"}"#);
        desk.hear(&Heard::Notification { method: "serverRequest/resolved".into(), params });
        assert_eq!(settled.try_recv(), Ok(Settled { id: "q2".to_owned(), how: Resolution::Elsewhere }));
        // The one that stays is asked again once its thread is resumed, which changes nothing.
        desk.hear(&request("0", "item/fileChange/requestApproval"));
        assert_eq!(desk.open().len(), 1);
        desk.hear(&down());
        assert_eq!(settled.try_recv(), Ok(Settled { id: "q1".to_owned(), how: Resolution::Lost }));
        desk.hear(&request("0", "item/fileChange/requestApproval"));
        assert_eq!(desk.find(&id("0")).expect("open again").id(), "q3");
        tokio::time::sleep(Duration::from_secs(500)).await;
        assert_eq!(sent(&mut outbox), r#"0 {"decision":"decline"}"#);
        assert!(outbox.try_recv().is_err(), "only the one that is open");
    }

    #[tokio::test(start_paused = true)]
    async fn questions_beyond_the_bound_are_declined_as_they_come() {
        let (desk, mut outbox) = open_desk();
        (0..OPEN).for_each(|number| desk.hear(&request(&number.to_string(), "item/fileChange/requestApproval")));
        assert!(outbox.try_recv().is_err());
        desk.hear(&request("999", "item/fileChange/requestApproval"));
        assert_eq!(sent(&mut outbox), r#"999 {"decision":"decline"}"#);
        assert_eq!(desk.open().len(), OPEN);
    }

    #[tokio::test]
    async fn the_time_is_told_at_once() {
        let (desk, mut outbox) = open_desk();
        desk.hear(&request("3", "currentTime/read"));
        let told = sent(&mut outbox);
        let seconds = told.strip_prefix(r#"3 {"currentTimeAt":"#).and_then(|rest| rest.strip_suffix('}'));
        assert!(seconds.is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{told}");
    }
}
