//! Asking somebody about held actions while the turn waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Action;

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// With an input in place of the model's, if one was given.
    Approve(Option<Value>),
    Deny,
}

impl Decision {
    /// Whether it does not say what is to run: an empty input in place of the one that was shown may be an emptied one,
    /// and some clients send it for nothing.
    pub fn is_unclear(&self, shown: Option<&Value>) -> bool {
        let Self::Approve(Some(input)) = self else { return false };
        is_empty(input) && shown.is_some_and(|shown| !is_empty(shown))
    }
}

fn is_empty(input: &Value) -> bool {
    match input {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
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
    waiting: Mutex<Vec<Waiting>>,
}

/// Those that are asked about together.
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
    fn wait(&self, ids: Vec<String>) -> oneshot::Receiver<Decided> {
        let (decide, decided) = oneshot::channel();
        self.waiting().push(Waiting { ids, decide });
        decided
    }

    fn clear(&self, ids: &[String]) {
        self.waiting().retain(|waiting| waiting.ids != ids);
    }

    /// Whether the turn waits for all of these, and so took the decision.
    pub fn decide(&self, decided: &Decided) -> bool {
        let mut waiting = self.waiting();
        let known = |id: &String| waiting.iter().any(|waiting| waiting.ids.contains(id));
        if decided.ids.is_empty() || !decided.ids.iter().all(known) {
            return false;
        }
        let is_meant = |waiting: &mut Waiting| decided.ids.iter().any(|id| waiting.ids.contains(id));
        let meant: Vec<Waiting> = waiting.extract_if(.., is_meant).collect();
        let sent = meant.into_iter().map(|Waiting { ids, decide }| {
            let ids = decided.ids.iter().filter(|id| ids.contains(id)).cloned().collect();
            decide.send(Decided { ids, ..decided.clone() }).is_ok()
        });
        // Each is told, whether the one before it could be or not.
        sent.fold(false, |any, sent| any | sent)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on the board, until it is dropped.
struct Listed {
    board: Arc<Board>,
    ids: Vec<String>,
    elsewhere: oneshot::Receiver<Decided>,
}

impl Listed {
    fn on(board: Arc<Board>, ids: Vec<String>) -> Self {
        let elsewhere = board.wait(ids.clone());
        Self { board, ids, elsewhere }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.board.clear(&self.ids);
    }
}

/// Asks whoever can be asked, and hears `approve` from elsewhere meanwhile: from now on, also while nobody polls. None
/// when nobody decided, or the question is void.
pub fn ask(
    approver: Arc<dyn Approver>,
    board: Arc<Board>,
    request: ApprovalRequest,
    void: CancellationToken,
) -> impl Future<Output = Option<Decided>> + Send + 'static {
    let mut listed = Listed::on(board, request.actions.iter().map(|action| action.id.clone()).collect());
    async move {
        let all = |ids: &[String], decision| Decided { ids: ids.to_vec(), decision, resume: true };
        let decided = tokio::select! {
            biased;
            () = void.cancelled() => None,
            Ok(decided) = &mut listed.elsewhere => Some(decided),
            decision = approver.decide(&request) => decision.map(|decision| all(&listed.ids, decision)),
        };
        listed.board.clear(&listed.ids);
        // Whoever decided in the last moment was told that it counts.
        let decided = decided.or_else(|| listed.elsewhere.try_recv().ok().filter(|_| !void.is_cancelled()));
        approver.settled(&request, decided.as_ref().map(|decided| &decided.decision)).await;
        decided
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_input_stands_for_an_empty_one_alone() {
        let approve = |input: Value| Decision::Approve(Some(input));
        for empty in [json!({}), json!([])] {
            assert!(approve(empty.clone()).is_unclear(Some(&json!({ "a": null }))), "{empty}");
            assert!(!approve(empty.clone()).is_unclear(Some(&json!({}))), "{empty}");
            assert!(!approve(empty.clone()).is_unclear(None), "{empty}");
        }
        for clear in [approve(json!({ "a": 1 })), Decision::Approve(None), Decision::Deny] {
            assert!(!clear.is_unclear(Some(&json!({ "a": 2 }))), "{clear:?}");
        }
    }
}
