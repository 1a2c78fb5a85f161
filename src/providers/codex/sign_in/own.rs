//! The sign-in in use: read when its file changes, refreshed in time, by one at a time, and ended.
//!
//! What is refreshed is on the disk before it is used: whoever loses a refresh token signs its user out. A refresh that
//! has begun goes on when the one who wanted it has gone.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::freshness::{Freshness, freshness, is_young};
use super::issuer::{Issuer, NotRefreshed, Pending};
use super::store::{Kept, Lock, Stamp, Store};
use super::wire::Grant;
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;
use crate::providers::codex::tokens::Tokens;
use crate::providers::http::Http;

const HINT: &str = "run `open-think login codex`";
/// How often the file and the clock are looked at while nothing is due: another process may have signed in, and a
/// computer may have slept.
const LOOK: Duration = Duration::from_secs(60);
/// After a refresh that failed.
const FIRST_DELAY: Duration = Duration::from_secs(5);
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// How long the next one who could still do without waits after a failure.
const PAUSE: Duration = Duration::from_secs(30);

pub struct OwnLogin {
    issuer: Issuer,
    store: Store,
    redactor: Redactor,
    seen: Mutex<Seen>,
    /// One writes at a time; processes are kept apart by the lock of the store.
    writing: tokio::sync::Mutex<()>,
}

/// The file as it was last read, and what became of refreshing it.
#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    kept: Option<Arc<Kept>>,
    /// Why it cannot be read.
    fault: Option<String>,
    failed: Option<(Instant, ProviderError)>,
    /// What was handed out and could not be written down yet: until then it is not used.
    unsaved: Option<Kept>,
}

/// What became of a sign-in that was there.
#[derive(Debug)]
pub struct SignedOut {
    pub tokens: Option<Tokens>,
    /// Why the issuer may still take the refresh token for good.
    pub not_revoked: Option<ProviderError>,
}

/// Tokens are refreshed ahead of need while it lives.
pub struct Fresh {
    _task: JoinSet<()>,
}

impl OwnLogin {
    /// Reads nothing yet.
    pub fn new(http: &Http, issuer: Url, state_dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            issuer: Issuer::new(http, issuer),
            store: Store::new(state_dir),
            redactor: http.redactor().clone(),
            seen: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        })
    }

    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Where it is kept.
    pub fn path(&self) -> PathBuf {
        self.store.path()
    }

    /// Whether there is a sign-in at all, be it one that holds no more.
    pub fn is_there(&self) -> bool {
        self.store.stamp().is_some()
    }

    /// The tokens, however old they are, or why there are none.
    pub fn tokens(&self) -> Result<Tokens, ProviderError> {
        self.look().map(|kept| tokens(&kept))
    }

    /// Those to ask with: refreshed if they have expired or soon will.
    pub(in crate::providers::codex) async fn valid(self: &Arc<Self>) -> Result<Tokens, ProviderError> {
        let kept = self.look()?;
        match freshness(kept.obtained_at, kept.expires_at, SystemTime::now()) {
            Freshness::Fresh(_) => Ok(tokens(&kept)),
            Freshness::Due if self.failed_lately() => Ok(tokens(&kept)),
            Freshness::Due => match self.refreshed(kept.access.clone()).await {
                Err(error) if self.look().is_ok() => {
                    tracing::warn!(%error, "the sign-in to ChatGPT could not be refreshed, and still holds");
                    Ok(tokens(&kept))
                }
                outcome => outcome,
            },
            Freshness::Expired => self.refreshed(kept.access.clone()).await,
        }
    }

    /// Newer ones than those that were refused, if there can be any.
    pub(in crate::providers::codex) async fn after_refusal(
        self: &Arc<Self>,
        refused: &Tokens,
    ) -> Result<Option<Tokens>, ProviderError> {
        let kept = self.look()?;
        if kept.access.expose() != refused.access.expose() {
            return Ok(Some(tokens(&kept)));
        }
        if is_young(kept.obtained_at, SystemTime::now()) {
            return Ok(None);
        }
        self.refreshed(kept.access.clone()).await.map(Some)
    }

    /// Writes down what a sign-in gave.
    pub async fn keep(&self, pending: &Pending, grant: Grant) -> Result<Tokens, ProviderError> {
        let obtained_at = unix(SystemTime::now());
        let kept = Kept {
            issuer: self.issuer.url().clone(),
            client_id: pending.client_id().to_owned(),
            endpoints: pending.endpoints().clone(),
            expires_at: expires_at(&grant, obtained_at),
            access: grant.access,
            id: grant.id,
            refresh: grant.refresh,
            obtained_at,
            ended: None,
        };
        let _one = self.writing.lock().await;
        let lock = self.lock().await?;
        self.write(kept, &lock).map(|kept| tokens(&kept))
    }

    /// Deletes the sign-in, and asks the issuer to forget it. None if there was none.
    pub async fn sign_out(&self) -> Result<Option<SignedOut>, ProviderError> {
        let _one = self.writing.lock().await;
        let lock = self.lock().await?;
        let kept = self.store.read().ok().flatten();
        let removed = self.store.remove(&lock).map_err(|error| self.unwritten(&error))?;
        *self.seen() = Seen::default();
        drop(lock);
        let Some(kept) = kept else {
            // One that could not be read is gone all the same.
            return Ok(removed.then_some(SignedOut { tokens: None, not_revoked: None }));
        };
        self.learn(&kept);
        let revoked = match kept.refresh.as_ref().filter(|_| kept.ended.is_none()) {
            Some(token) => self.issuer.revoke(&kept.endpoints, &kept.client_id, token).await,
            None => Ok(()),
        };
        Ok(Some(SignedOut { tokens: Some(tokens(&kept)), not_revoked: revoked.err() }))
    }

    /// Refreshes ahead of need. For those who serve: a single command has no time for it.
    pub fn keep_fresh(self: &Arc<Self>) -> Fresh {
        let own = Arc::clone(self);
        Fresh { _task: JoinSet::from_iter([async move { own.keep_refreshing().await }]) }
    }

    /// Waits until nothing is being written, for as long as this.
    pub async fn settle(&self, patience: Duration) {
        if timeout(patience, self.writing.lock()).await.is_err() {
            tracing::warn!("the sign-in to ChatGPT was still being refreshed at the end");
        }
    }

    async fn keep_refreshing(self: &Arc<Self>) {
        let mut delays = delays();
        loop {
            let Ok(kept) = self.look() else {
                sleep(LOOK).await;
                continue;
            };
            match freshness(kept.obtained_at, kept.expires_at, SystemTime::now()) {
                Freshness::Fresh(left) => sleep(left.map_or(LOOK, |left| left.min(LOOK))).await,
                Freshness::Due | Freshness::Expired => match self.refreshed(kept.access.clone()).await {
                    Ok(_) => delays = self::delays(),
                    Err(error) => {
                        let delay = delays.next().unwrap_or(LONGEST_DELAY);
                        tracing::warn!(%error, ?delay, "the sign-in to ChatGPT could not be refreshed");
                        sleep(delay).await;
                    }
                },
            }
        }
    }

    /// Newer tokens than `old`, by a task of its own: its end does not hang on whoever waits for it.
    async fn refreshed(self: &Arc<Self>, old: Secret) -> Result<Tokens, ProviderError> {
        let own = Arc::clone(self);
        let refresh = tokio::spawn(async move { own.refreshed_by_one(&old).await });
        refresh.await.unwrap_or_else(|_| {
            Err(ProviderError::new(ErrorKind::Auth, "the sign-in to ChatGPT could not be refreshed").with_hint(HINT))
        })
    }

    /// Those who wait for one another share what it comes to.
    async fn refreshed_by_one(&self, old: &Secret) -> Result<Tokens, ProviderError> {
        let begun = Instant::now();
        let _one = self.writing.lock().await;
        if let Some((_, error)) = self.seen().failed.as_ref().filter(|(at, _)| *at >= begun) {
            return Err(error.clone());
        }
        let outcome = self.refresh(old).await;
        self.seen().failed = outcome.as_ref().err().map(|error| (Instant::now(), error.clone()));
        outcome
    }

    async fn refresh(&self, old: &Secret) -> Result<Tokens, ProviderError> {
        let lock = self.lock().await?;
        let unsaved = self.seen().unsaved.take();
        if let Some(unsaved) = unsaved {
            self.write(unsaved, &lock)?;
            return self.tokens();
        }
        let kept = self.look()?;
        if kept.access.expose() != old.expose() {
            // Somebody else was first.
            return Ok(tokens(&kept));
        }
        let Some(token) = &kept.refresh else {
            let error = ProviderError::new(ErrorKind::Auth, "the sign-in to ChatGPT holds no longer");
            return Err(error.with_hint(HINT));
        };
        match self.issuer.refresh(&kept.endpoints, &kept.client_id, token).await {
            Ok(grant) => {
                tracing::info!("the sign-in to ChatGPT was refreshed");
                self.write(kept.renewed(grant, unix(SystemTime::now())), &lock).map(|kept| tokens(&kept))
            }
            Err(NotRefreshed::Ended(why)) => {
                tracing::warn!(%why, "the sign-in to ChatGPT has ended");
                let ended = Kept { refresh: None, ended: Some(why.message.clone()), ..(*kept).clone() };
                let error = ended_error(&why.message);
                // Where it cannot be written down, the next one hears it from the issuer.
                let _ = self.write(ended, &lock);
                Err(error)
            }
            Err(NotRefreshed::Failed(error)) => Err(error),
        }
    }

    fn write(&self, kept: Kept, lock: &Lock) -> Result<Arc<Kept>, ProviderError> {
        self.learn(&kept);
        if let Err(error) = self.store.write(&kept, lock) {
            self.seen().unsaved = Some(kept);
            return Err(self.unwritten(&error));
        }
        let kept = Arc::new(kept);
        *self.seen() = Seen { stamp: self.store.stamp(), kept: Some(Arc::clone(&kept)), ..Seen::default() };
        Ok(kept)
    }

    async fn lock(&self) -> Result<Lock, ProviderError> {
        self.store.lock().await.map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&self, error: &std::io::Error) -> ProviderError {
        let message = format!("the sign-in to ChatGPT cannot be kept in {}: {error}", self.store.path().display());
        ProviderError::new(ErrorKind::Config, message)
            .with_hint("see that the state directory can be written to, or set OPEN_THINK_STATE_DIR")
    }

    /// The sign-in that holds, or why there is none. The file is read when it has changed: it is short.
    fn look(&self) -> Result<Arc<Kept>, ProviderError> {
        let stamp = self.store.stamp();
        let mut seen = self.seen();
        if seen.stamp != stamp {
            let (kept, fault) = match self.store.read() {
                Ok(kept) => (kept.map(Arc::new), None),
                Err(fault) => (None, Some(fault)),
            };
            kept.iter().for_each(|kept| self.learn(kept));
            *seen = Seen { stamp, kept, fault, ..Seen::default() };
        }
        let path = self.store.path();
        if let Some(fault) = &seen.fault {
            let message = format!("{} {fault}", path.display());
            return Err(ProviderError::new(ErrorKind::Auth, message).with_hint(HINT));
        }
        let Some(kept) = &seen.kept else {
            return Err(ProviderError::new(ErrorKind::Auth, "nobody is signed in to ChatGPT").with_hint(HINT));
        };
        if let Some(why) = &kept.ended {
            return Err(ended_error(why));
        }
        if kept.issuer != *self.issuer.url() {
            let (issuer, own) = (&kept.issuer, self.issuer.url());
            let message = format!("{} is of {issuer}, and CODEX_OAUTH_ISSUER is {own}", path.display());
            return Err(ProviderError::new(ErrorKind::Auth, message).with_hint(HINT));
        }
        Ok(Arc::clone(kept))
    }

    fn learn(&self, kept: &Kept) {
        let secrets = [Some(&kept.access), kept.id.as_ref(), kept.refresh.as_ref()];
        secrets.into_iter().flatten().for_each(|secret| self.redactor.learn(secret.expose()));
    }

    fn failed_lately(&self) -> bool {
        self.seen().failed.as_ref().is_some_and(|(at, _)| at.elapsed() < PAUSE)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// What an answer leaves out stays as it was.
    fn renewed(&self, grant: Grant, now: u64) -> Self {
        Self {
            expires_at: expires_at(&grant, now),
            access: grant.access,
            id: grant.id.or_else(|| self.id.clone()),
            refresh: grant.refresh.or_else(|| self.refresh.clone()),
            obtained_at: now,
            ..self.clone()
        }
    }
}

fn tokens(kept: &Kept) -> Tokens {
    let mut tokens = Tokens::new(kept.access.clone(), kept.id.as_ref(), None);
    tokens.expires_at = kept.expires_at;
    tokens
}

/// What the token says of itself goes before what is said of it.
fn expires_at(grant: &Grant, now: u64) -> Option<u64> {
    let own = Tokens::new(grant.access.clone(), None, None).expires_at;
    own.or_else(|| now.checked_add(grant.lifetime?.as_secs()))
}

fn ended_error(why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Auth, format!("the sign-in to ChatGPT has ended: {why}")).with_hint(HINT)
}

fn delays() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(FIRST_DELAY).with_max_delay(LONGEST_DELAY);
    builder.without_max_times().with_jitter().build()
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
