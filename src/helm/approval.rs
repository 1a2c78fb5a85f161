//! Asking somebody about held actions while the turn waits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Action;

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// With an input in place of the model's, if one was given.
    Approve(Option<Value>),
    Deny,
}

#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    pub id: String,
    pub session: String,
    pub turn_id: String,
    pub actions: Vec<Action>,
    pub deadline: Duration,
}

/// Those who can be asked.
#[async_trait]
pub trait Approver: Send + Sync {
    /// None when nobody decided in time: the actions then stay held.
    async fn decide(&self, request: &ApprovalRequest) -> Option<Decision>;

    /// What became of a request, for those who were asked in vain.
    async fn settled(&self, request: &ApprovalRequest, decision: Option<&Decision>);
}

/// The actions that a running turn waits for, so that `approve` from elsewhere finds them.
#[derive(Default)]
pub struct Board {
    waiting: Mutex<Option<Waiting>>,
}

struct Waiting {
    ids: Vec<String>,
    decide: oneshot::Sender<Decided>,
}

/// What was decided, and of which actions.
#[derive(Clone, Debug)]
pub struct Decided {
    pub ids: Vec<String>,
    pub decision: Decision,
    /// Whether the model hears of it.
    pub resume: bool,
}

impl Board {
    /// Announces what is waited for.
    pub fn wait(&self, ids: Vec<String>) -> oneshot::Receiver<Decided> {
        let (decide, decided) = oneshot::channel();
        *self.waiting() = Some(Waiting { ids, decide });
        decided
    }

    pub fn clear(&self) {
        *self.waiting() = None;
    }

    /// Whether the turn waits for all of these, and so took the decision.
    pub fn decide(&self, decided: Decided) -> bool {
        let mut waiting = self.waiting();
        if !waiting.as_ref().is_some_and(|waiting| decided.ids.iter().all(|id| waiting.ids.contains(id))) {
            return false;
        }
        waiting.take().is_some_and(|waiting| waiting.decide.send(decided).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
