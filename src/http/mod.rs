//! HTTP: the methods of the wire as a WebSocket, as requests, and under the routes that the documentation gives.
//!
//! Every request passes `guard` before anything else of it is looked at. What it asks for is then done by the methods
//! behind the same loop that serves every other connection; nothing is done here a second time.

mod call;
mod connection;
mod envelope;
mod exchange;
mod fields;
mod guard;
mod metrics;
mod open;
mod patient;
mod places;
mod routes;
mod rpc;
mod socket;
mod stream;
mod tls;
mod token;

pub use guard::Guard;
pub use open::{OpenError, Opened, check, open};

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{Figures, PluginFace, Via, Vitals};
use crate::config;
use crate::transport::Transport;
use connection::Shared;
use places::Places;

/// What stands behind: the one who serves connections, and knows what there is.
pub trait Host: Send + Sync + 'static {
    /// Serves one connection to its end.
    fn serve(self: Arc<Self>, transport: Transport, via: Via) -> BoxFuture<'static, ()>;

    fn limits(&self) -> &config::Limits;

    fn figures(&self) -> BoxFuture<'_, Figures>;

    fn vitals(&self) -> BoxFuture<'_, Vitals>;

    fn plugins(&self) -> Vec<PluginFace>;

    /// The session of a turn that has not ended.
    fn session_of(&self, turn_id: &str) -> Option<String>;

    /// The number of the last event of a session.
    fn last_seq(&self, session: &str) -> u64;
}

/// Connections at once.
const CONNECTIONS: usize = 512;

/// Of those for whom there is no place, so many are told so at once; the others are hung up on.
const REFUSALS: usize = 32;
const REFUSAL: Duration = Duration::from_millis(500);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 80\r\n\r\n\
    {\"ok\":false,\"error\":\"too many connections\",\"code\":\"E_OVERLOADED\",\"requestId\":\"\"}";

/// How long to wait when the system gives no connection, for want of file descriptors perhaps.
const PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to end once they are asked to.
const CLOSE: Duration = Duration::from_millis(2500);

/// Serves what comes until it is told to stop.
pub async fn serve(host: Arc<dyn Host>, opened: Opened, stop: CancellationToken) {
    let Opened { listener, guard, tls, .. } = opened;
    let (places, refusals, tracker) =
        (Places::new(CONNECTIONS), Arc::new(Semaphore::new(REFUSALS)), TaskTracker::new());
    let shared = Shared::new(host, guard, tracker.clone(), stop.clone());
    let mut is_short = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(%error, "a connection could not be accepted, and waits until one can");
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        is_short = false;
        // Small answers are not to wait for each other.
        let _ = stream.set_nodelay(true);
        match places.take() {
            Some(place) => {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tracker.spawn(connection::serve(stream, tls, shared, place));
            }
            None => refuse(stream, &refusals),
        }
    }
    // Another may listen there from now on.
    drop(listener);
    tracker.close();
    if timeout(CLOSE, tracker.wait()).await.is_err() {
        tracing::warn!("connections over HTTP did not end in time");
    }
}

/// Where TLS is spoken it hears nothing but the end.
fn refuse(mut stream: TcpStream, refusals: &Arc<Semaphore>) {
    let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else { return };
    tokio::spawn(async move {
        let told = async {
            stream.write_all(FULL).await?;
            stream.shutdown().await?;
            // What it has sent would otherwise cut off what it is told.
            tokio::io::copy(&mut (&mut stream).take(64 * 1024), &mut tokio::io::sink()).await
        };
        let _ = timeout(REFUSAL, told).await;
        drop(permit);
    });
}

#[test]
fn what_the_refused_are_told_is_whole() {
    let text = std::str::from_utf8(FULL).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
}
