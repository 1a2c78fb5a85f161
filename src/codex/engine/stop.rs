//! The end of a turn before its time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::recover::may_come_back;
use super::run::AWAY;
use crate::codex::link::{Link, LinkError};

/// A turn that was asked for a moment ago does not know yet that it runs.
pub const SETTLE: Duration = Duration::from_secs(3);
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);
const WHILE_AWAY: Duration = Duration::from_secs(1);

/// Until it has worked, the turn is over, or the connection is gone for good.
pub async fn stop(link: &Link, thread: &str, turn: &str, over: CancellationToken) {
    let began = Instant::now();
    let params = json!({ "threadId": thread, "turnId": turn });
    let attempts = async {
        loop {
            match link.call::<Value>("turn/interrupt", &params).await {
                Err(LinkError::Rpc(refusal)) if is_inactive(refusal.message()) && began.elapsed() < SETTLE => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) if may_come_back(&error) => sleep(WHILE_AWAY).await,
                _ => return,
            }
        }
    };
    let _ = over.run_until_cancelled(timeout_at(began + AWAY, attempts)).await;
}

pub fn is_inactive(refusal: &str) -> bool {
    refusal.starts_with("no active turn")
}
