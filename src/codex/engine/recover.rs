//! What became of a turn while the connection was away. Nothing is decided here about what is told of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::Inner;
use super::ready::{is_lost, is_new};
use super::slot::{Loaded, Slot};
use super::wire::{Entry, Item, Page, Turn};
use crate::codex::link::{Fault, FaultKind, LinkError};
use crate::model::Place;

/// Of turns that are looked through for ours, and of items in a page.
pub const TURNS: u32 = 10;
const ITEMS: u32 = 100;
/// Of pages: a turn of more items than that is taken as it is known then.
const PAGES: usize = 100;

const ATTEMPTS: usize = 5;
const A_MOMENT: Duration = Duration::from_millis(500);

/// By what a turn is known.
#[derive(Clone, Debug)]
pub enum Sought {
    Turn(String),
    /// The message that began it has this mark.
    Mark(String),
}

pub enum Found {
    /// With its complete items, in order.
    Turn(Turn, Vec<Item>),
    /// There is no such turn.
    No,
    /// The thread is gone.
    Gone,
}

/// The thread is heard of again from here on, which asks again whatever is open.
pub async fn recover(inner: Arc<Inner>, slot: Arc<Slot>, place: Place, sought: Sought) -> Result<Found, LinkError> {
    let mut known = slot.lock().await;
    let Some(loaded) = &mut known.thread else { return Ok(Found::Gone) };
    let thread = loaded.thread.id.clone();
    match resume(&inner, loaded, &place).await {
        Err(LinkError::Rpc(refusal)) => {
            tracing::warn!(thread, %refusal, "a thread with a turn in it cannot be resumed");
            loaded.connection = None;
            return Ok(Found::Gone);
        }
        other => other.map(drop)?,
    }
    // It is followed, and stopped if need be.
    loaded.is_busy = false;
    drop(known);
    let params = json!({ "threadId": thread, "limit": TURNS });
    let page: Page<Turn> = match inner.list("thread/turns/list", &params).await {
        Err(LinkError::Rpc(refusal)) if is_new(refusal.message()) => return Ok(Found::No),
        other => other?,
    };
    for turn in page.data {
        match &sought {
            Sought::Turn(id) if *id != turn.id => continue,
            _ => {}
        }
        let items = items(&inner, &thread, &turn.id).await?;
        match &sought {
            // Another client may have begun one since.
            Sought::Mark(mark) if !is_marked(&items, mark) => {}
            _ => return Ok(Found::Turn(turn, items)),
        }
    }
    Ok(Found::No)
}

/// A server that has only just come up may have too much to do.
async fn resume(inner: &Inner, loaded: &mut Loaded, place: &Place) -> Result<bool, LinkError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match inner.resume(loaded, place).await {
            Err(LinkError::Rpc(refusal)) if attempts < ATTEMPTS && !is_lost(refusal.code()) => sleep(A_MOMENT).await,
            other => return other,
        }
    }
}

pub fn is_marked(items: &[Item], mark: &str) -> bool {
    items.iter().any(|item| matches!(item, Item::UserMessage { client_id: Some(id) } if id == mark))
}

/// The complete items of a turn.
pub async fn items(inner: &Inner, thread: &str, turn: &str) -> Result<Vec<Item>, LinkError> {
    let mut items = Vec::new();
    let mut params = json!({ "threadId": thread, "turnId": turn, "limit": ITEMS });
    for _ in 0..PAGES {
        let page: Page<Entry> = inner.list("thread/items/list", &params).await?;
        items.extend(page.data.into_iter().map(|entry| entry.item));
        if page.next_cursor.is_null() {
            break;
        }
        params["cursor"] = page.next_cursor;
    }
    Ok(items)
}

impl Inner {
    async fn list<R: serde::de::DeserializeOwned>(&self, method: &str, params: &Value) -> Result<R, LinkError> {
        self.link().call(method, params).await
    }
}

/// Whether there is any use in trying once more when the connection is back.
pub fn may_come_back(error: &LinkError) -> bool {
    match error {
        LinkError::Lost(_) => true,
        // What cannot be read will not be read the next time either.
        LinkError::Down(fault) => is_passing(fault) && fault.kind != FaultKind::Protocol,
        _ => false,
    }
}

pub fn is_passing(fault: &Fault) -> bool {
    !fault.kind.is_final() && fault.kind != FaultKind::Closed
}
