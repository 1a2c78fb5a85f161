//! How a provider fared the last time it was asked, and how the way there stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::time::Instant;
use url::Url;

use crate::model::{
    Answer, Block, Delta, DeltaStream, Engine, ErrorKind, Happening, ModelInfo, Place, Provider, ProviderError,
    Request, Run, Task, Thread,
};
use crate::providers::http::Link;
pub use crate::providers::http::LinkState;

/// Shared between a plugin and the provider that it watches, and with those that take their place when the configuration
/// is read again.
#[derive(Clone, Default)]
pub struct Health {
    last: Arc<Mutex<Option<Call>>>,
    /// Where the provider's calls go.
    links: Arc<Mutex<Vec<Arc<Link>>>>,
    counts: Arc<Counts>,
}

/// Since the start of the process.
#[derive(Default)]
struct Counts {
    made: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone)]
struct Call {
    /// The error is one sentence.
    outcome: Result<(), String>,
    at: SystemTime,
    latency: Option<Duration>,
}

/// What is to be told of a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Of the way there, which is no reason to ask somebody else: a request finds out for itself.
    pub state: LinkState,
    /// Whether the last call went well; none while there was none.
    pub healthy: Option<bool>,
    /// Of the last call, or of the way there.
    pub error: Option<String>,
    /// When it was last called or probed, and how long the first byte took if there was one.
    pub checked: Option<(SystemTime, Option<Duration>)>,
}

impl Health {
    pub fn standing(&self) -> Standing {
        let call = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let views: Vec<_> = self.links().iter().map(|link| link.view()).collect();
        let probed = views.iter().filter_map(|view| view.probed);
        let called = call.as_ref().map(|call| (call.at, call.latency));
        let of_call = call.as_ref().and_then(|call| call.outcome.as_ref().err().cloned());
        let of_link = views.iter().find_map(|view| view.error.clone());
        Standing {
            state: views.iter().map(|view| view.state).max_by_key(|state| gravity(*state)).unwrap_or_default(),
            healthy: call.map(|call| call.outcome.is_ok()),
            error: of_call.or(of_link),
            checked: probed.chain(called).max_by_key(|(at, _)| *at),
        }
    }

    /// How often it was called since the start of the process, and how often that failed, for whatever reason.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.made.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed))
    }

    pub(super) fn watch(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Watched { inner, health: self.clone() })
    }

    pub(super) fn watch_engine(&self, inner: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(WatchedEngine { inner, health: self.clone() })
    }

    /// For a provider that may be used.
    pub(super) fn follow(&self, links: Vec<Arc<Link>>) {
        *self.links() = links;
    }

    /// For a plugin that is built anew: what was counted stays, and what failed may be mended.
    pub(super) fn renew(&self) {
        self.links().clear();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.take().filter(|call| call.outcome.is_ok());
    }

    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that is at fault tells nothing of the provider.
    fn note<T>(&self, result: &Result<T, ProviderError>, latency: Option<Duration>) {
        use ErrorKind::{ContentBlocked, ContextTooLong, InvalidRequest, ModelNotFound};
        if result.is_err() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        let of_request = [InvalidRequest, ModelNotFound, ContextTooLong, ContentBlocked];
        if result.as_ref().is_err_and(|error| of_request.contains(&error.kind)) {
            return;
        }
        let outcome = result.as_ref().map(|_| ()).map_err(ToString::to_string);
        let call = Call { outcome, at: SystemTime::now(), latency };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
    }

    /// Awaits the beginning of an answer.
    async fn time<T>(&self, call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        let began = Instant::now();
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        let result = call.await;
        self.note(&result, result.is_ok().then(|| began.elapsed()));
        result
    }
}

/// Of several ways the one that stands worst is told.
fn gravity(state: LinkState) -> u8 {
    match state {
        LinkState::Warm => 0,
        LinkState::Unknown => 1,
        LinkState::Connecting => 2,
        LinkState::Failed => 3,
    }
}

struct Watched {
    inner: Arc<dyn Provider>,
    health: Health,
}

#[async_trait]
impl Provider for Watched {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<&str> {
        self.inner.default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let deltas = self.health.time(self.inner.stream(request)).await?;
        let health = self.health.clone();
        // One that breaks off later counts as well.
        let noted = move |delta: &Result<Delta, ProviderError>| {
            if delta.is_err() {
                health.note(delta, None);
            }
        };
        Ok(deltas.inspect(noted).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.health.time(self.inner.models()).await
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        self.inner.count_tokens(request).await
    }

    fn lack(&self) -> Option<String> {
        self.inner.lack()
    }

    fn endpoints(&self) -> Vec<Url> {
        self.inner.endpoints()
    }
}

struct WatchedEngine {
    inner: Arc<dyn Engine>,
    health: Health,
}

/// One turn; how it goes shows in what comes of it.
struct WatchedRun {
    inner: Box<dyn Run>,
    health: Health,
}

#[async_trait]
impl Engine for WatchedEngine {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<String> {
        self.inner.default_model()
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        self.inner.warm(place).await
    }

    async fn begin(&self, task: Task) -> Result<Box<dyn Run>, ProviderError> {
        let inner = self.health.time(self.inner.begin(task)).await?;
        Ok(Box::new(WatchedRun { inner, health: self.health.clone() }))
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        let run = self.health.time(self.inner.take_up(place)).await?;
        let watched = |inner| Box::new(WatchedRun { inner, health: self.health.clone() }) as Box<dyn Run>;
        Ok(run.map(watched))
    }
}

#[async_trait]
impl Run for WatchedRun {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        let happening = self.inner.next().await;
        if happening.is_err() {
            self.health.note(&happening, None);
        }
        happening
    }

    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError> {
        self.inner.answer(id, answer).await
    }

    fn steer(&mut self, number: u64, content: &[Block]) {
        self.inner.steer(number, content);
    }

    async fn interrupt(&mut self) {
        self.inner.interrupt().await;
    }

    async fn leave(self: Box<Self>) {
        self.inner.leave().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at once, or in the midst of its answer.
    struct Failing {
        at_once: Option<ErrorKind>,
    }

    #[async_trait]
    impl Provider for Failing {
        fn id(&self) -> &str {
            "failing"
        }

        fn default_model(&self) -> Option<&str> {
            None
        }

        async fn stream(&self, _: Request) -> Result<DeltaStream, ProviderError> {
            match self.at_once {
                Some(kind) => Err(ProviderError::new(kind, "no")),
                None => {
                    let broken = Err(ProviderError::new(ErrorKind::Truncated, "it broke off"));
                    Ok(futures_util::stream::iter([broken]).boxed())
                }
            }
        }

        async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
            Ok(Vec::new())
        }
    }

    async fn check(at_once: Option<ErrorKind>, expected: Option<&str>) {
        let health = Health::default();
        if let Ok(deltas) = health.watch(Arc::new(Failing { at_once })).stream(Request::default()).await {
            let standing = health.standing();
            assert_eq!((standing.healthy, standing.error), (Some(true), None));
            assert!(standing.checked.unwrap().1.is_some(), "it was timed");
            let _: Vec<_> = deltas.collect().await;
        }
        let standing = health.standing();
        assert_eq!((standing.healthy, standing.error.as_deref()), (expected.map(|_| false), expected));
        assert_eq!(standing.checked.map(|(_, latency)| latency), expected.map(|_| None));
        assert_eq!(standing.state, LinkState::Unknown);
    }

    #[tokio::test]
    async fn only_what_is_the_providers_own_fault_counts() {
        check(Some(ErrorKind::Auth), Some("no")).await;
        check(Some(ErrorKind::InvalidRequest), None).await;
        check(Some(ErrorKind::ModelNotFound), None).await;
        check(None, Some("it broke off")).await;
    }
}
