//! What one client still has to hear of the app-server, as a plain value.
//!
//! It is bounded. Of notifications that find no room only the number is kept, in their place; questions are few, and none
//! of them is lost.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::codex::{Question, Settled, Watch};

/// Notifications that wait, and bytes of them.
const MOST: usize = 1024;
const BYTES: usize = 32 * 1024 * 1024;
/// Threads that a client subscribed to.
const SUBSCRIBED: usize = 256;
/// Threads that it started or resumed; it hears no more of the oldest of more.
const OWNED: usize = 256;

#[derive(Clone, Debug)]
pub enum Item {
    Notification { method: Arc<str>, params: Arc<RawValue>, thread: Option<String> },
    Asked(Arc<Question>),
    Resolved(Settled),
    Lost(u64),
}

#[derive(Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    notifications: usize,
    bytes: usize,
    all: bool,
    subscribed: HashMap<String, Watch>,
    owned: VecDeque<(String, Watch)>,
    /// Requests under way that may make threads whose names are not known yet, and what belongs to no known thread
    /// meanwhile.
    starting: usize,
    held: VecDeque<Item>,
    /// Questions that the client was told of and that are open.
    told: HashSet<String>,
}

impl Item {
    fn thread(&self) -> Option<&str> {
        match self {
            Self::Notification { thread, .. } => thread.as_deref(),
            Self::Asked(question) => question.thread.as_deref(),
            Self::Resolved(_) | Self::Lost(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Notification { method, params, .. } => method.len() + params.get().len(),
            _ => 0,
        }
    }
}

impl Outbox {
    /// All threads, and what belongs to none.
    pub fn subscribe_to_all(&mut self) {
        self.all = true;
    }

    pub fn unsubscribe_from_all(&mut self) {
        self.all = false;
    }

    /// False if it watches too many threads.
    pub fn subscribe(&mut self, thread: &str, watch: Watch) -> bool {
        let fits = self.subscribed.len() < SUBSCRIBED || self.subscribed.contains_key(thread);
        if fits {
            self.subscribed.insert(thread.to_owned(), watch);
        }
        fits
    }

    /// It hears no more of the thread, even if it started it.
    pub fn unsubscribe(&mut self, thread: &str) {
        self.subscribed.remove(thread);
        self.owned.retain(|(owned, _)| owned != thread);
    }

    pub fn start(&mut self) {
        self.starting += 1;
    }

    /// A start has come to its end, with a thread or without.
    pub fn started(&mut self, thread: Option<(String, Watch)>) {
        self.starting = self.starting.saturating_sub(1);
        if let Some((thread, watch)) = thread {
            self.own(thread, watch);
        }
        if self.starting == 0 {
            self.held.clear();
        }
    }

    fn own(&mut self, thread: String, watch: Watch) {
        let knew = self.wants(Some(&thread));
        self.owned.retain(|(owned, _)| *owned != thread);
        if self.owned.len() >= OWNED {
            self.owned.pop_front();
        }
        self.owned.push_back((thread.clone(), watch));
        if !knew {
            let held = std::mem::take(&mut self.held);
            let (its, others) = held.into_iter().partition(|item| item.thread() == Some(&thread));
            self.held = others;
            let its: VecDeque<Item> = its;
            its.into_iter().for_each(|item| self.push(item));
        }
    }

    pub fn wants(&self, thread: Option<&str>) -> bool {
        let named =
            |thread: &str| self.subscribed.contains_key(thread) || self.owned.iter().any(|(owned, _)| owned == thread);
        self.all || thread.is_some_and(named)
    }

    /// Whether there is something new to send.
    pub fn offer(&mut self, item: Item) -> bool {
        if self.wants(item.thread()) {
            self.push(item);
            return true;
        }
        if self.starting > 0 && item.thread().is_some() {
            if self.held.len() >= MOST {
                self.held.pop_front();
            }
            self.held.push_back(item);
        }
        false
    }

    /// A question has come to its end; whether the client has to hear of it. One that it has not read yet is taken back.
    pub fn settled(&mut self, settled: Settled) -> bool {
        let is_it = |item: &Item| matches!(item, Item::Asked(question) if question.id() == settled.id);
        if !self.told.remove(&settled.id) {
            return false;
        }
        match self.items.iter().position(is_it) {
            Some(at) => {
                self.items.remove(at);
                false
            }
            None => {
                self.items.push_back(Item::Resolved(settled));
                true
            }
        }
    }

    /// Before anything could be offered.
    pub fn lost(&mut self, count: u64) {
        match self.items.back_mut() {
            Some(Item::Lost(before)) => *before += count,
            _ => self.items.push_back(Item::Lost(count)),
        }
    }

    /// Whether the client has not been told of it before.
    pub fn tell(&mut self, question: &Question) -> bool {
        self.told.insert(question.id())
    }

    pub fn next(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if matches!(item, Item::Notification { .. }) {
            self.notifications -= 1;
            self.bytes -= item.bytes();
        }
        Some(item)
    }

    fn push(&mut self, item: Item) {
        match &item {
            Item::Asked(question) if !self.tell(question) => return,
            Item::Notification { .. } => {
                if self.notifications >= MOST || self.bytes + item.bytes() > BYTES.max(item.bytes()) {
                    return self.lost(1);
                }
                self.notifications += 1;
                self.bytes += item.bytes();
            }
            _ => {}
        }
        self.items.push_back(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::link::Heard;
    use crate::codex::{Desk, Resolution, Watched};
    use crate::rpc::Id;

    fn watch(thread: &str) -> Watch {
        Arc::<Watched>::default().watch(thread).expect("there is room").0
    }

    fn item(thread: Option<&str>, bytes: usize) -> Item {
        let params: Arc<RawValue> = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).expect("JSON").into();
        Item::Notification { method: "m".into(), params, thread: thread.map(str::to_owned) }
    }

    /// What is sent, one letter or number each.
    fn sent(outbox: &mut Outbox) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(item) = outbox.next() {
            sent.push(match item {
                Item::Notification { thread, .. } => thread.unwrap_or_default(),
                Item::Lost(count) => format!("lost {count}"),
                Item::Asked(_) => "asked".to_owned(),
                Item::Resolved(_) => "resolved".to_owned(),
            });
        }
        sent
    }

    #[test]
    fn a_client_hears_what_it_wants_and_nothing_else() {
        let mut outbox = Outbox::default();
        assert!(!outbox.offer(item(Some("a"), 1)));
        assert!(outbox.subscribe("a", watch("a")));
        outbox.start();
        outbox.started(Some(("b".to_owned(), watch("b"))));
        for thread in [Some("a"), Some("b"), Some("c"), None] {
            outbox.offer(item(thread, 1));
        }
        assert_eq!(sent(&mut outbox), ["a", "b"]);
        outbox.subscribe_to_all();
        outbox.unsubscribe("a");
        outbox.offer(item(None, 1));
        outbox.offer(item(Some("a"), 1));
        assert_eq!(sent(&mut outbox), ["", "a"]);
        outbox.unsubscribe_from_all();
        outbox.unsubscribe("b");
        assert!(!outbox.wants(Some("a")) && !outbox.wants(Some("b")) && !outbox.wants(None));
    }

    #[test]
    fn what_a_new_thread_says_is_held_until_its_name_is_known() {
        let mut outbox = Outbox::default();
        outbox.start();
        outbox.start();
        for thread in ["new", "other", "new"] {
            assert!(!outbox.offer(item(Some(thread), 1)));
        }
        outbox.started(Some(("new".to_owned(), watch("new"))));
        assert_eq!(sent(&mut outbox), ["new", "new"]);
        outbox.started(None);
        outbox.start();
        outbox.started(Some(("other".to_owned(), watch("other"))));
        assert_eq!(sent(&mut outbox), [""; 0], "what was held is forgotten with the last start");
    }

    #[test]
    fn what_finds_no_room_is_counted_in_its_place() {
        let mut outbox = Outbox::default();
        outbox.subscribe_to_all();
        for _ in 0..MOST + 3 {
            outbox.offer(item(None, 1));
        }
        assert!(outbox.next().is_some());
        outbox.offer(item(Some("late"), 1));
        let rest = sent(&mut outbox);
        assert_eq!((rest.len(), &rest[MOST - 1..]), (MOST + 1, &["lost 3".to_owned(), "late".to_owned()][..]));
        // One that is longer than there is room for goes when it is alone.
        outbox.offer(item(Some("long"), BYTES + 1));
        outbox.offer(item(Some("a"), 1));
        assert_eq!(sent(&mut outbox), ["long", "lost 1"]);
    }

    #[tokio::test]
    async fn the_end_of_a_question_is_told_to_whoever_has_read_it() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
        let (desk, _outbox) = Desk::new(std::time::Duration::from_secs(120));
        for id in ["1", "2"] {
            let (id, params) = (Id::parse(&raw(id)).expect("an id"), raw(r#"{"threadId":"t"}"#).into());
            desk.hear(&Heard::Request { id, method: "item/fileChange/requestApproval".into(), params });
        }
        let end = |id: &str| Settled { id: id.to_owned(), how: Resolution::Lost };
        let mut outbox = Outbox::default();
        outbox.subscribe_to_all();
        desk.open().into_iter().for_each(|question| assert!(outbox.offer(Item::Asked(question))));
        assert!(matches!(outbox.next(), Some(Item::Asked(_))));
        assert!(outbox.settled(end("q1")), "it was read");
        assert!(!outbox.settled(end("q2")), "nobody knows of it");
        assert!(matches!(outbox.next(), Some(Item::Resolved(settled)) if settled.id == "q1"));
        assert!(outbox.next().is_none() && !outbox.settled(end("q1")));
    }

    #[test]
    fn a_client_subscribes_to_so_many_threads() {
        let mut outbox = Outbox::default();
        assert!((0..SUBSCRIBED).all(|number| outbox.subscribe(&number.to_string(), watch("t"))));
        assert!(!outbox.subscribe("more", watch("t")) && outbox.subscribe("0", watch("t")));
    }
}
