//! Who hears what of the app-server.
//!
//! What belongs to a thread in which Helm works goes to the turn that follows it, and to nobody else may its questions
//! go, also while no turn follows it. Other questions are the desk's. Everything else, and all notifications, go to the
//! clients that listen. The task that reads waits for none of them: a follower that cannot keep up loses its place, and
//! finds out what it missed by resuming the thread.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{broadcast, mpsc};

use super::desk::Desk;
use super::link::{Heard, Listener};

/// What a turn may leave unread.
const FOLLOWED: usize = 4096;
/// What a client may leave unread.
const LISTENED: usize = 4096;

/// Threads that are owned; of more, those owned first are let go.
const OWNED: usize = 4096;

const SETTINGS: &str = "thread/settings/updated";
/// Settings that are longer are not kept.
const SETTINGS_LENGTH: usize = 64 * 1024;

pub struct Hub {
    threads: Mutex<Threads>,
    /// Where questions go that are not the affair of a follower.
    desk: Option<Arc<Desk>>,
    all: broadcast::Sender<Heard>,
}

#[derive(Default)]
struct Threads {
    followers: HashMap<String, mpsc::Sender<Heard>>,
    owned: HashMap<String, Owned>,
    /// Oldest first.
    order: VecDeque<String>,
}

#[derive(Default)]
struct Owned {
    /// Until Helm works there again.
    is_lent: bool,
    noted: Noted,
}

/// What was heard of the settings of a thread since somebody asked.
#[derive(Clone, Debug, Default)]
pub enum Noted {
    /// Nobody has listened all the time.
    #[default]
    Unknown,
    Nothing,
    /// What was heard last.
    Changed(Arc<RawValue>),
}

/// What happens in one thread, and to the link. Dropping it ends the following.
pub struct Following {
    hub: Arc<Hub>,
    thread: String,
    heard: mpsc::Receiver<Heard>,
}

/// What a notification or a request says of where it belongs.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow, rename = "threadId")]
    thread_id: Option<std::borrow::Cow<'a, str>>,
}

/// The thread that something belongs to.
pub fn thread_of(params: &RawValue) -> Option<String> {
    let about: About<'_> = serde_json::from_str(params.get()).ok()?;
    about.thread_id.map(std::borrow::Cow::into_owned)
}

impl Hub {
    /// One that nobody answers questions for but followers.
    pub fn new() -> Arc<Self> {
        Self::with(None)
    }

    pub fn with(desk: Option<Arc<Desk>>) -> Arc<Self> {
        Arc::new(Self { threads: Mutex::default(), desk, all: broadcast::channel(LISTENED).0 })
    }

    /// Whether Helm works in the thread, and resumes it itself.
    pub fn is_helms(&self, thread: &str) -> bool {
        let threads = self.threads();
        threads.owns(thread) || threads.followers.contains_key(thread)
    }

    /// Follows a thread from now on. Who followed it before hears no more of it.
    pub fn follow(self: &Arc<Self>, thread: &str) -> Following {
        let (sender, heard) = mpsc::channel(FOLLOWED);
        self.threads().followers.insert(thread.to_owned(), sender);
        Following { hub: Arc::clone(self), thread: thread.to_owned(), heard }
    }

    /// The thread is Helm's: its questions are nobody else's. One that nobody follows is asked again by the server when
    /// the thread is resumed.
    pub fn own(&self, thread: &str) {
        let mut threads = self.threads();
        if let Some(owned) = threads.owned.get_mut(thread) {
            owned.is_lent = false;
            return;
        }
        threads.owned.insert(thread.to_owned(), Owned::default());
        threads.order.push_back(thread.to_owned());
        if threads.order.len() > OWNED
            && let Some(oldest) = threads.order.pop_front()
        {
            threads.owned.remove(&oldest);
        }
    }

    /// A client begins something in the thread by itself: what is asked for that is for clients to answer, unless a turn
    /// follows, until Helm works there again.
    pub fn lend(&self, thread: &str) {
        let mut threads = self.threads();
        if threads.followers.contains_key(thread) {
            return;
        }
        if let Some(owned) = threads.owned.get_mut(thread) {
            owned.is_lent = true;
        }
    }

    /// What became of the settings of a thread that is owned, since this was asked last. Whoever changed them.
    pub fn noted(&self, thread: &str) -> Noted {
        let mut threads = self.threads();
        let Some(owned) = threads.owned.get_mut(thread) else { return Noted::Unknown };
        std::mem::replace(&mut owned.noted, Noted::Nothing)
    }

    /// Everything from now on that is not the affair of a follower alone.
    pub fn listen(&self) -> broadcast::Receiver<Heard> {
        self.all.subscribe()
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is the affair of the thread alone, if it is a question.
    fn tell_follower(&self, thread: &str, heard: &Heard) -> bool {
        let mut threads = self.threads();
        threads.note(thread, heard);
        let Some(follower) = threads.followers.get(thread) else { return threads.owns(thread) };
        if follower.try_send(heard.clone()).is_err() {
            threads.followers.remove(thread);
        }
        true
    }
}

impl Threads {
    fn owns(&self, thread: &str) -> bool {
        self.owned.get(thread).is_some_and(|owned| !owned.is_lent)
    }

    fn note(&mut self, thread: &str, heard: &Heard) {
        if let Heard::Notification { method, params } = heard
            && &**method == SETTINGS
            && let Some(owned) = self.owned.get_mut(thread)
        {
            let is_kept = params.get().len() <= SETTINGS_LENGTH;
            owned.noted = if is_kept { Noted::Changed(Arc::clone(params)) } else { Noted::Unknown };
        }
    }
}

impl Listener for Hub {
    fn hear(&self, heard: Heard) {
        let followed = match &heard {
            Heard::Up(_) | Heard::Down(_) => {
                let mut threads = self.threads();
                threads.followers.retain(|_, follower| follower.try_send(heard.clone()).is_ok());
                threads.owned.values_mut().for_each(|owned| owned.noted = Noted::Unknown);
                false
            }
            Heard::Notification { params, .. } | Heard::Request { params, .. } => {
                thread_of(params).is_some_and(|thread| self.tell_follower(&thread, &heard))
            }
        };
        if !(followed && matches!(heard, Heard::Request { .. })) {
            // First, so that whoever hears of a question finds it open.
            if let Some(desk) = &self.desk {
                desk.hear(&heard);
            }
            // Nobody may listen.
            let _ = self.all.send(heard);
        }
    }
}

impl Following {
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// What comes next; none if too much was left unread, or somebody else follows now. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// What has come already.
    pub fn try_next(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.heard.close();
        let mut threads = self.hub.threads();
        if threads.followers.get(&self.thread).is_some_and(mpsc::Sender::is_closed) {
            threads.followers.remove(&self.thread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Id;

    fn raw(text: &str) -> Arc<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON").into()
    }

    fn notification(thread: &str) -> Heard {
        Heard::Notification { method: "turn/started".into(), params: raw(&format!(r#"{{"threadId":"{thread}"}}"#)) }
    }

    fn request(thread: &str) -> Heard {
        let id = Id::parse(&raw("0")).expect("an id");
        Heard::Request { id, method: "item/tool/call".into(), params: raw(&format!(r#"{{"threadId":"{thread}"}}"#)) }
    }

    #[tokio::test]
    async fn the_questions_of_a_followed_thread_go_to_its_follower_alone() {
        let hub = Hub::new();
        let mut all = hub.listen();
        let mut following = hub.follow("a");
        hub.hear(request("a"));
        hub.hear(notification("a"));
        hub.hear(request("b"));
        assert!(matches!(following.next().await, Some(Heard::Request { .. })));
        assert!(matches!(following.next().await, Some(Heard::Notification { .. })));
        assert!(matches!(all.try_recv(), Ok(Heard::Notification { .. })));
        assert!(matches!(all.try_recv(), Ok(Heard::Request { .. })));
        drop(following);
        hub.hear(request("a"));
        assert!(matches!(all.try_recv(), Ok(Heard::Request { .. })));
    }

    #[tokio::test]
    async fn the_questions_of_a_thread_that_is_owned_wait_for_its_follower() {
        let hub = Hub::new();
        let mut all = hub.listen();
        hub.own("a");
        hub.hear(request("a"));
        hub.hear(notification("a"));
        assert!(matches!(all.try_recv(), Ok(Heard::Notification { .. })));
        assert!(all.try_recv().is_err());
        (0..OWNED).for_each(|number| hub.own(&number.to_string()));
        hub.hear(request("a"));
        assert!(matches!(all.try_recv(), Ok(Heard::Request { .. })), "the first of too many is let go");
    }

    #[tokio::test]
    async fn what_a_client_begins_in_a_thread_of_helms_it_is_asked_about() {
        let hub = Hub::new();
        let mut all = hub.listen();
        hub.own("a");
        hub.lend("a");
        hub.hear(request("a"));
        assert!(matches!(all.try_recv(), Ok(Heard::Request { .. })));
        hub.own("a");
        let mut following = hub.follow("a");
        hub.lend("a");
        hub.hear(request("a"));
        assert!(all.try_recv().is_err());
        assert!(matches!(following.next().await, Some(Heard::Request { .. })));
    }

    #[test]
    fn settings_that_change_are_noted_whoever_works_in_the_thread() {
        let hub = Hub::new();
        let changed = |to: &str| Heard::Notification {
            method: SETTINGS.into(),
            params: raw(&format!(r#"{{"threadId":"a","threadSettings":{{"model":"{to}"}}}}"#)),
        };
        let last = |hub: &Hub| match hub.noted("a") {
            Noted::Changed(params) => params.get().to_owned(),
            other => format!("{other:?}"),
        };
        hub.hear(changed("one"));
        assert_eq!(last(&hub), "Unknown", "it is nobody's yet");
        hub.own("a");
        assert_eq!([last(&hub), last(&hub)], ["Unknown", "Nothing"]);
        hub.lend("a");
        hub.hear(changed("two"));
        hub.hear(changed("three"));
        hub.hear(notification("a"));
        hub.own("a");
        assert!(last(&hub).contains("three"));
        hub.hear(changed("four"));
        hub.hear(Heard::Down(Arc::new(crate::codex::link::Fault::new(crate::codex::link::FaultKind::Broken, "cut"))));
        assert_eq!(last(&hub), "Unknown");
        hub.hear(changed(&"long".repeat(SETTINGS_LENGTH)));
        assert_eq!(last(&hub), "Unknown");
    }

    #[tokio::test]
    async fn a_follower_that_reads_nothing_loses_its_place_and_holds_nobody_up() {
        let hub = Hub::new();
        let mut following = hub.follow("a");
        (0..=FOLLOWED).for_each(|_| hub.hear(notification("a")));
        let mut count = 0;
        while following.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, FOLLOWED);
    }

    #[tokio::test]
    async fn a_second_follower_takes_the_place_of_the_first() {
        let hub = Hub::new();
        let mut first = hub.follow("a");
        let mut second = hub.follow("a");
        hub.hear(notification("a"));
        assert!(first.next().await.is_none());
        drop(first);
        hub.hear(notification("a"));
        assert!(second.next().await.is_some() && second.next().await.is_some());
    }
}
