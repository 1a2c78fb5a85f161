//! An answer and its body, which arrives in chunks under two clocks: silence and the deadline.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use reqwest::header::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

use super::HttpRequest;
use super::fault;
use super::warm::UnderWay;
use crate::model::ProviderError;
use crate::policy::Redactor;

pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body,
}

/// Dropping it ends the exchange upstream.
pub struct Body {
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    /// Set again only when it rings: most of the time a chunk has come since it was set.
    clock: Pin<Box<Sleep>>,
    last_chunk: Instant,
    /// Whether any of it has come.
    begun: bool,
    idle: Duration,
    deadline: Option<Instant>,
    host: String,
    redactor: Redactor,
    /// Its end is the body's.
    _under_way: Option<UnderWay>,
}

impl Response {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body whole; one that is longer than the limit is an error.
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, ProviderError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.body.next().await {
            whole.extend_from_slice(&chunk?);
            if whole.len() > limit {
                return Err(fault::too_long(&self.body.host, limit));
            }
        }
        Ok(whole)
    }

    /// As much of the body as comes: for error bodies, where half a sentence is better than none.
    pub async fn prefix(mut self, limit: usize) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Some(Ok(chunk)) = self.body.next().await {
            whole.extend_from_slice(&chunk);
            if whole.len() > limit {
                break;
            }
        }
        whole.truncate(limit);
        whole
    }
}

impl Body {
    pub(super) fn new(answer: reqwest::Response, request: &HttpRequest, idle: Duration, redactor: Redactor) -> Self {
        let last_chunk = Instant::now();
        let clock = Box::pin(sleep_until(ring_at(last_chunk, idle, request.deadline)));
        let host = fault::host(&request.url);
        let chunks = answer.bytes_stream().boxed();
        Self {
            chunks,
            clock,
            last_chunk,
            begun: false,
            idle,
            deadline: request.deadline,
            host,
            redactor,
            _under_way: None,
        }
    }

    pub(super) fn under_way(self, under_way: Option<UnderWay>) -> Self {
        Self { _under_way: under_way, ..self }
    }

    /// From here on, how long it may be silent.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
        self.clock.as_mut().reset(ring_at(self.last_chunk, idle, self.deadline));
    }

    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// The error for an answer that goes on without getting anywhere.
    pub fn no_progress(&self) -> ProviderError {
        fault::idle(&self.host, self.idle)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<ProviderError> {
        loop {
            ready!(self.clock.as_mut().poll(cx));
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| now >= deadline) {
                return Poll::Ready(fault::deadline_at(&self.host));
            }
            let next = ring_at(self.last_chunk, self.idle, self.deadline);
            if now >= next {
                return Poll::Ready(fault::idle(&self.host, self.idle));
            }
            self.clock.as_mut().reset(next);
        }
    }
}

fn ring_at(last_chunk: Instant, idle: Duration, deadline: Option<Instant>) -> Instant {
    let silence = last_chunk + idle;
    deadline.map_or(silence, |deadline| deadline.min(silence))
}

impl Stream for Body {
    type Item = Result<Bytes, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.chunks.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.last_chunk = Instant::now();
                self.begun = true;
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(Some(Err(error))) => {
                let fault = match !self.begun && fault::is_unreadable(&error) {
                    true => fault::unreadable(&self.host, &error.without_url(), &self.redactor),
                    false => fault::broken_off(&self.host, &error.without_url(), &self.redactor),
                };
                Poll::Ready(Some(Err(fault)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.poll_clock(cx).map(|fault| Some(Err(fault))),
        }
    }
}
