//! Links: the ways to the origins that are asked again and again, opened before the first request and kept open.
//!
//! Promises: a probe is a HEAD of the origin's root without any credential, follows no redirect and costs nothing; any
//! answer will do. One task an origin, and no more origins than plugins have endpoints; the tasks end with [`Warmth`].
//!
//! A request that comes while the probe still connects loses nothing by it. The pool below (hyper-util's) lets every
//! request that finds no idle connection open its own, and takes whichever is ready first, its own or the one that the
//! probe gives back. Over HTTP/2 the connection is shared as soon as it stands, whether or not the probe has been
//! answered, and a second one that is still shaking hands gives way to it. Over HTTP/1.1 there may be two connections
//! for a while, both of which the pool keeps. So a request is never made to wait for a probe.

mod state;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

pub use state::LinkState;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::Http;
use crate::model::{ErrorKind, ProviderError};
use state::{Fact, Next, State};

/// The origins that are looked after.
#[derive(Default)]
pub(super) struct Links {
    all: RwLock<Vec<Arc<Link>>>,
}

/// The way to one origin.
pub struct Link {
    /// Its root.
    pub origin: Url,
    shared: Mutex<Shared>,
}

struct Shared {
    state: State,
    probed: Option<Probed>,
    /// Of the last failure, if the link is down.
    error: Option<String>,
}

#[derive(Clone, Copy)]
struct Probed {
    at: SystemTime,
    /// To the first byte of the answer.
    latency: Option<Duration>,
}

/// A link as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    pub state: LinkState,
    pub error: Option<String>,
    /// When it was last probed, and how long the first byte took to come if there was one.
    pub probed: Option<(SystemTime, Option<Duration>)>,
}

/// A request that is under way, from before it is sent until its answer is done with.
pub(super) struct UnderWay(Arc<Link>);

/// Links are kept warm while it lives.
pub struct Warmth {
    #[cfg_attr(not(test), expect(dead_code, reason = "dropping them is what ends them"))]
    tasks: JoinSet<()>,
}

impl Links {
    pub(super) fn add(&self, url: &Url, every: Duration) -> Arc<Link> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = all.iter().find(|link| link.leads_to(url)) {
            return Arc::clone(link);
        }
        let shared = Mutex::new(Shared { state: State::new(every), probed: None, error: None });
        let link = Arc::new(Link { origin: root(url), shared });
        all.push(Arc::clone(&link));
        link
    }

    /// Notes a request, if it goes where a link leads.
    pub(super) fn under_way(&self, url: &Url) -> Option<UnderWay> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let link = all.iter().find(|link| link.leads_to(url))?;
        link.lock().state.take(Fact::RequestBegan, Instant::now());
        Some(UnderWay(Arc::clone(link)))
    }

    pub(super) fn keep_warm(&self, http: &Http) -> Warmth {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let tasks = all.iter().map(|link| keep(http.clone(), Arc::clone(link)));
        Warmth { tasks: tasks.collect() }
    }
}

/// The whole of a link's task: does what its state says.
async fn keep(http: Http, link: Arc<Link>) {
    loop {
        let next = link.lock().state.next(Instant::now());
        match next {
            Next::Probe => probe(&http, &link).await,
            Next::Wait(until) => sleep_until(until).await,
            Next::Rest => return,
        }
    }
}

async fn probe(http: &Http, link: &Link) {
    link.lock().state.take(Fact::ProbeBegan, Instant::now());
    let began = Instant::now();
    let answer = http.knock(&link.origin).await;
    let now = Instant::now();
    let mut shared = link.lock();
    let latency = answer.is_ok().then(|| now - began);
    shared.probed = Some(Probed { at: SystemTime::now(), latency });
    match answer {
        Ok(http2) => shared.answered(http2, now),
        Err(error) => {
            tracing::debug!(%error, "a link is down");
            shared.state.take(Fact::ProbeFailed { hopeless: !error.retryable }, now);
            if shared.state.shown() == LinkState::Failed {
                shared.error = Some(error.message);
            }
        }
    }
}

impl Link {
    pub fn view(&self) -> LinkView {
        let shared = self.lock();
        let probed = shared.probed.map(|probed| (probed.at, probed.latency));
        LinkView { state: shared.state.shown(), error: shared.error.clone(), probed }
    }

    fn leads_to(&self, url: &Url) -> bool {
        let same_place = self.origin.host_str() == url.host_str() && self.origin.scheme() == url.scheme();
        same_place && self.origin.port_or_known_default() == url.port_or_known_default()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn answered(&mut self, http2: bool, now: Instant) {
        self.state.take(Fact::Answered { http2 }, now);
        self.error = None;
    }
}

impl UnderWay {
    pub(super) fn answered(&self, http2: bool) {
        self.0.lock().answered(http2, Instant::now());
    }

    /// Only what is the connection's own fault counts.
    pub(super) fn failed(&self, error: &ProviderError) {
        if error.kind == ErrorKind::Network {
            let mut shared = self.0.lock();
            shared.state.take(Fact::RequestFailed, Instant::now());
            shared.error = Some(error.message.clone());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().state.take(Fact::RequestEnded, Instant::now());
    }
}

/// Without user and password, which a probe has no need to tell.
fn root(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("/");
    root.set_query(None);
    root.set_fragment(None);
    // Fails only for URLs that cannot have user info, which then have none.
    let _ = root.set_username("");
    let _ = root.set_password(None);
    root
}
