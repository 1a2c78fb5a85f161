//! What is said to a turn while it runs: in order, one after the other, beside all else that happens.
//!
//! Where the answer is lost, the app-server's list of the turn's items says what it has taken: what we said has a mark. It
//! takes what it was told when its model is next called, so the list is certain at the end of the turn, and not before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Inner;
use super::recover::{TURNS, is_marked, items, may_come_back};
use super::stop::{LOOK_AGAIN, SETTLE, is_inactive};
use super::thread::Input;
use super::wire::{Page, Turn, TurnStatus};
use crate::codex::link::LinkError;
use crate::model::Steered;

/// What an answer may still take once the turn has ended, and the look at its items after that.
const LAST: Duration = Duration::from_secs(1);
const WHILE_AWAY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Steers {
    waiting: VecDeque<(u64, Vec<Input>)>,
    at_work: Option<(u64, AbortOnDropHandle<()>)>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<VecDeque<(u64, Steered)>>,
    changed: Notify,
    /// The turn takes nothing more.
    over: CancellationToken,
}

impl Steers {
    pub fn add(&mut self, number: u64, input: Vec<Input>) {
        self.waiting.push_back((number, input));
        if self.shared.over.is_cancelled() {
            self.refuse();
        }
    }

    /// Says what waits next, if nothing is being said.
    pub fn begin(&mut self, inner: &Arc<Inner>, thread: &str, turn: &str) {
        if self.is_at_work() || self.shared.over.is_cancelled() {
            return;
        }
        let Some((number, input)) = self.waiting.pop_front() else { return };
        let mark = uuid::Uuid::new_v4().to_string();
        let params = json!({
            "threadId": thread, "expectedTurnId": turn, "input": input, "clientUserMessageId": mark,
        });
        let word = Word { inner: Arc::clone(inner), thread: thread.to_owned(), turn: turn.to_owned(), mark };
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let outcome = word.say(&params, &shared.over).await;
            shared.told().push_back((number, outcome));
            shared.changed.notify_one();
        });
        self.at_work = Some((number, AbortOnDropHandle::new(task)));
    }

    /// What came of one of them.
    pub fn told(&mut self) -> Option<(u64, Steered)> {
        let told = self.shared.told().pop_front()?;
        self.at_work.take_if(|(number, _)| *number == told.0);
        Some(told)
    }

    /// No more is said, and what was said is settled soon.
    pub fn end(&mut self) {
        self.shared.over.cancel();
        self.refuse();
    }

    pub fn is_at_work(&self) -> bool {
        self.at_work.is_some()
    }

    /// When there may be something to tell.
    pub fn changed(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.changed.notified().await }
    }

    /// What was not said.
    fn refuse(&mut self) {
        let refused = |(number, _)| (number, Steered::Refused("the turn has ended already".to_owned()));
        self.shared.told().extend(self.waiting.drain(..).map(refused));
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, VecDeque<(u64, Steered)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is being said.
struct Word {
    inner: Arc<Inner>,
    thread: String,
    turn: String,
    mark: String,
}

impl Word {
    async fn say(&self, params: &Value, over: &CancellationToken) -> Steered {
        let deadline = Instant::now() + SETTLE;
        loop {
            let pause = match self.ask(params, over).await {
                Ok(_) => return Steered::Taken,
                Err(error @ (LinkError::Lost(_) | LinkError::TimedOut { .. })) => return self.look(&error, over).await,
                Err(LinkError::Rpc(refusal)) if is_inactive(refusal.message()) && Instant::now() < deadline => {
                    LOOK_AGAIN
                }
                // It was not sent.
                Err(error) if may_come_back(&error) => WHILE_AWAY,
                Err(error) => return Steered::Refused(error.to_string()),
            };
            if over.run_until_cancelled(sleep(pause)).await.is_none() {
                return Steered::Refused("the turn has ended already".to_owned());
            }
        }
    }

    async fn ask(&self, params: &Value, over: &CancellationToken) -> Result<Value, LinkError> {
        let late = async {
            over.cancelled().await;
            sleep(LAST).await;
        };
        tokio::select! {
            biased;
            answer = self.inner.link().call("turn/steer", params) => answer,
            () = late => Err(LinkError::TimedOut { after: LAST }),
        }
    }

    /// Whether it was taken, of which nobody has told us.
    async fn look(&self, error: &LinkError, over: &CancellationToken) -> Steered {
        over.cancelled().await;
        match timeout(LAST, self.is_taken()).await {
            Ok(Ok(Some(true))) => Steered::Taken,
            Ok(Ok(Some(false))) => Steered::Refused(error.to_string()),
            Ok(Ok(None) | Err(_)) | Err(_) => Steered::Unsure(error.to_string()),
        }
    }

    /// None if it may still be.
    async fn is_taken(&self) -> Result<Option<bool>, LinkError> {
        let Self { inner, thread, turn, mark } = self;
        let params = json!({ "threadId": thread, "limit": TURNS });
        let turns: Page<Turn> = inner.link().call("thread/turns/list", &params).await?;
        let has_ended = turns.data.iter().any(|one| one.id == *turn && one.status != TurnStatus::InProgress);
        let is_marked = is_marked(&items(inner, thread, turn).await?, mark);
        Ok((is_marked || has_ended).then_some(is_marked))
    }
}
