//! How a connection to an app-server is made, up to the bytes and then up to the WebSocket.

use std::future::ready;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::UnixStream;
use tokio::time::timeout;
use url::Url;

use super::child::Running;
use super::shim::{Place, Shim};
use super::socket::{Bytestream, Socket};
use super::tcp::{self, Trust};
use super::{Endpoint, Fault, FaultKind, Program};
use crate::config::Secret;
use crate::policy::Redactor;
use crate::providers::http::Http;

/// What is common to the ways over which a WebSocket goes.
pub(super) trait Way: Send + Sync {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>>;

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>>;

    /// The process, where it is a child of ours.
    fn pid(&self) -> Option<u32> {
        None
    }

    /// What came of the connection. A child may have to go for it.
    fn dropped(&self, _: &Fault) {}

    /// Nothing of what was started for it is left afterwards.
    fn close(&self) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}

/// What requests go over, once it is there.
pub(super) enum Line {
    Socket(Box<Socket>),
    Shim(Shim),
}

pub(super) fn way(endpoint: Result<Endpoint, Fault>, http: Http, redactor: Redactor) -> Box<dyn Way> {
    match endpoint {
        Ok(Endpoint::WebSocket { url, token }) => Box::new(Tcp { url, token, trust: Trust::default() }),
        Ok(Endpoint::Http { url, token }) => Box::new(Posts { place: Place { url, token, http } }),
        Ok(Endpoint::Unix { path }) => Box::new(Unix { path }),
        Ok(Endpoint::Child(program)) => Box::new(Own { program, redactor, running: Arc::default() }),
        Err(fault) => Box::new(Nowhere { fault }),
    }
}

/// To a `wss` URL, with certificates of the test's own.
#[cfg(test)]
pub(super) fn secured(url: Url, trust: Trust) -> Box<dyn Way> {
    Box::new(Tcp { url, token: None, trust })
}

struct Nowhere {
    fault: Fault,
}

impl Way for Nowhere {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        ready(Err(self.fault.clone())).boxed()
    }

    fn upgrade(&self, _: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        ready(Err(self.fault.clone())).boxed()
    }
}

struct Tcp {
    url: Url,
    token: Option<Secret>,
    trust: Trust,
}

impl Way for Tcp {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let (url, trust) = (self.url.clone(), self.trust.clone());
        async move { tcp::connect(&url, trust).await }.boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        let (url, token) = (self.url.clone(), self.token.clone());
        async move { upgrade(stream, url.as_str(), token.as_ref()).await }.boxed()
    }
}

struct Unix {
    path: PathBuf,
}

impl Way for Unix {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let path = self.path.clone();
        async move {
            let stream = UnixStream::connect(&path).await;
            let stream = stream.map_err(|error| tcp::unreachable(&path.display().to_string(), &error))?;
            Ok(Box::new(stream) as Box<dyn Bytestream>)
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        upgrade_local(stream)
    }
}

/// Over a Unix socket the host means nothing, and there is no token.
pub(super) fn upgrade_local(stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
    async move { upgrade(stream, "ws://localhost/", None).await }.boxed()
}

async fn upgrade(stream: Box<dyn Bytestream>, url: &str, token: Option<&Secret>) -> Result<Line, Fault> {
    Ok(Line::Socket(Box::new(Socket::upgrade(stream, url, token).await?)))
}

struct Posts {
    place: Place,
}

/// Connections are the HTTP client's, which makes them when it needs them.
impl Way for Posts {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        ready(Ok(Box::new(tokio::io::empty()) as Box<dyn Bytestream>)).boxed()
    }

    fn upgrade(&self, _: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        ready(Ok(Line::Shim(Shim::new(self.place.clone())))).boxed()
    }
}

/// A child of ours, which outlives a connection to it.
struct Own {
    program: Program,
    redactor: Redactor,
    running: Arc<Mutex<Option<Running>>>,
}

/// It is killed before that; only the kernel could hold it longer.
const EXIT_WAIT: Duration = Duration::from_secs(5);

/// Between two looks at whether it listens.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Way for Own {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let (program, redactor, running) = (self.program.clone(), self.redactor.clone(), self.running.clone());
        async move {
            let leaving = lock(&running).as_ref().filter(|running| running.is_stopping()).map(Running::exited);
            if let Some(mut exited) = leaving {
                // Two of them would be in each other's way.
                let _ = exited.wait_for(Option::is_some).await;
            }
            let (socket, mut exited) = {
                let mut running = lock(&running);
                match &*running {
                    Some(alive) if alive.exit().is_none() => (alive.socket.clone(), alive.exited()),
                    _ => {
                        let fresh = running.insert(Running::start(&program, &redactor)?);
                        (fresh.socket.clone(), fresh.exited())
                    }
                }
            };
            loop {
                if let Ok(stream) = UnixStream::connect(&socket).await {
                    return Ok(Box::new(stream) as Box<dyn Bytestream>);
                }
                if let Ok(exit) = timeout(LOOK_AGAIN, exited.wait_for(Option::is_some)).await {
                    let fault = exit.ok().and_then(|fault| fault.clone());
                    return Err(fault.unwrap_or_else(|| Fault::new(FaultKind::Closed, "the daemon stops")));
                }
            }
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        upgrade_local(stream)
    }

    fn pid(&self) -> Option<u32> {
        lock(&self.running).as_ref().filter(|running| running.exit().is_none()).and_then(|running| running.pid)
    }

    /// One that is alive and does not speak as it should is of no use any more.
    fn dropped(&self, fault: &Fault) {
        let is_broken = matches!(fault.kind, FaultKind::Broken | FaultKind::Closed | FaultKind::ChildFailed);
        if let Some(running) = lock(&self.running).as_ref().filter(|_| !is_broken) {
            running.stop();
        }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let running = lock(&self.running).take();
        async move {
            if let Some(running) = running {
                running.stop();
                let _ = timeout(EXIT_WAIT, running.exited().wait_for(Option::is_some)).await;
            }
        }
        .boxed()
    }
}

fn lock(running: &Mutex<Option<Running>>) -> MutexGuard<'_, Option<Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
