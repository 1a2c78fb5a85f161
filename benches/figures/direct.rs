//! The direct call: a bare HTTP client that makes the same request of the same upstream.

use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::runtime::Runtime;

use crate::upstream::Upstream;

pub struct Direct {
    runtime: Runtime,
    client: Client,
    url: String,
}

/// A body as it was read.
#[derive(Default)]
pub struct Read {
    pub bytes: usize,
    /// When each piece came, and what it was.
    pub pieces: Vec<(Instant, bytes::Bytes)>,
}

impl Direct {
    /// Asks for chat completions.
    pub fn new(upstream: &Upstream) -> Self {
        Self::to(upstream, "/v1/chat/completions")
    }

    #[expect(clippy::disallowed_methods, reason = "the bare client is what the guarded one is compared with")]
    pub fn to(upstream: &Upstream, path: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // Only plain HTTP is spoken, but a client is not made without something to encrypt with.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().tcp_nodelay(true).tls_certs_only([]).build().expect("a client");
        Self { runtime, client, url: format!("{}{path}", upstream.origin()) }
    }

    /// How long one exchange takes, all of its body read.
    pub fn call(&self, body: Vec<u8>) -> Duration {
        self.runtime.block_on(call(&self.client, &self.url, body))
    }

    /// The same, so many at a time.
    pub fn calls(&self, bodies: &[Vec<u8>], at_a_time: usize) -> Vec<Duration> {
        let share = bodies.len().div_ceil(at_a_time);
        self.runtime.block_on(async {
            let tasks: Vec<_> = bodies
                .chunks(share)
                .map(|bodies| {
                    let (client, url, bodies) = (self.client.clone(), self.url.clone(), bodies.to_vec());
                    tokio::spawn(async move {
                        let mut times = Vec::with_capacity(bodies.len());
                        for body in bodies {
                            times.push(call(&client, &url, body).await);
                        }
                        times
                    })
                })
                .collect();
            let mut times = Vec::new();
            for task in tasks {
                times.extend(task.await.expect("no panic"));
            }
            times
        })
    }

    /// Reads a stream piece by piece; the pieces are kept if they are asked for.
    pub fn stream(&self, body: Vec<u8>, keep: bool) -> Read {
        self.runtime.block_on(async {
            let mut response = send(&self.client, &self.url, body).await;
            let mut read = Read::default();
            while let Some(piece) = response.chunk().await.expect("a whole body") {
                read.bytes += piece.len();
                if keep {
                    read.pieces.push((Instant::now(), piece));
                }
            }
            read
        })
    }
}

async fn call(client: &Client, url: &str, body: Vec<u8>) -> Duration {
    let start = Instant::now();
    let answer = send(client, url, body).await.bytes().await.expect("a whole body");
    assert!(!answer.is_empty());
    start.elapsed()
}

async fn send(client: &Client, url: &str, body: Vec<u8>) -> reqwest::Response {
    let request = client.post(url).header("content-type", "application/json").header("accept-encoding", "identity");
    request.body(body).send().await.expect("an answer").error_for_status().expect("success")
}
