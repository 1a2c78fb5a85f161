//! One call of a model over HTTP: asks, asks again while that may help, and gives the answer as it arrives.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use tokio::time::Instant;

use super::http::{Body, Http, HttpRequest};
use super::reader::{Decode, Deltas, Progress, Reader};
use super::retry;
use super::upstream::Source;
use crate::model::{Delta, DeltaStream, ProviderError, Request};

/// How long to wait for usage and the end once the model is done.
const GRACE: Duration = Duration::from_secs(2);
/// A server may keep the line alive for this many times the idle time without saying anything.
const EMPTY_TALK: u32 = 5;

/// Taken once, before the first attempt, so that all of them share it.
pub(super) fn deadline(request: &Request) -> Option<Instant> {
    request.timeout.map(|timeout| Instant::now() + timeout)
}

/// Returns when the answer has begun, so that everything before that can be tried again. Dropping the stream ends the
/// exchange upstream. `decoder` makes a fresh one for each attempt.
pub(super) async fn open<D: Decode>(
    http: &Http,
    source: &Source,
    request: HttpRequest,
    keep_raw: bool,
    decoder: impl Fn() -> D,
) -> Result<DeltaStream, ProviderError> {
    let deadline = request.deadline;
    let attempt = async || {
        let response = http.send(request.clone()).await?;
        let mut reader = Reader::new(decoder(), source.clone()).keep_raw(keep_raw);
        let mut ready = Deltas::new();
        // Even a refusal may say how much of a limit is left.
        reader.headers(&response.headers, &mut ready);
        if !response.is_success() {
            return Err(source.refused(response).await);
        }
        let mut answer = Answer::new(response.body, reader, ready);
        answer.begin().await?;
        Ok(answer)
    };
    let answer = retry::run(http.settings().max_retries, deadline, attempt).await?;
    Ok(answer.boxed())
}

struct Answer<D> {
    /// Gone when nothing more is wanted from it.
    body: Option<Body>,
    reader: Reader<D>,
    ready: Deltas,
    /// Told after what is ready.
    failed: Option<ProviderError>,
    /// Since when bytes have come that mean nothing.
    idle_since: Option<Instant>,
}

impl<D: Decode> Answer<D> {
    fn new(body: Body, reader: Reader<D>, ready: Deltas) -> Self {
        Self { body: Some(body), reader, ready, failed: None, idle_since: None }
    }

    /// Reads until something of the answer is there to be shown.
    async fn begin(&mut self) -> Result<(), ProviderError> {
        loop {
            if self.ready.iter().any(|delta| !matches!(delta, Delta::Model(_) | Delta::Usage(_) | Delta::Metadata(_))) {
                return Ok(());
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let Some(body) = &mut self.body else { return Ok(()) };
            let chunk = body.next().await;
            self.receive(chunk);
        }
    }

    fn receive(&mut self, chunk: Option<Result<Bytes, ProviderError>>) {
        let result = match chunk {
            Some(Ok(chunk)) => self.reader.push(&chunk, &mut self.ready),
            // Nothing of the answer is missing, only its good-bye.
            Some(Err(_)) if self.reader.progress() == Progress::Complete => self.end(),
            Some(Err(error)) => Err(error),
            None => self.end(),
        };
        if let Err(error) = result {
            self.failed = Some(error);
            self.body = None;
        }
        match self.reader.progress() {
            Progress::Open => self.watch_progress(),
            Progress::Complete => {
                if let Some(body) = self.body.as_mut().filter(|body| body.idle() > GRACE) {
                    body.set_idle(GRACE);
                }
            }
            Progress::Ended => {
                if let Some(body) = self.body.take() {
                    tokio::spawn(drain(body));
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), ProviderError> {
        self.body = None;
        self.reader.end(&mut self.ready)
    }

    fn watch_progress(&mut self) {
        if !self.ready.is_empty() {
            self.idle_since = None;
            return;
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        if let Some(body) = self.body.take_if(|body| since.elapsed() > body.idle() * EMPTY_TALK) {
            self.failed = Some(body.no_progress());
        }
    }
}

impl<D: Decode> Stream for Answer<D> {
    type Item = Result<Delta, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(delta)));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let chunk = ready!(body.poll_next_unpin(cx));
            self.receive(chunk);
        }
    }
}

/// A connection can be used again only when its answer has been read to the end.
async fn drain(mut body: Body) {
    let rest = async { while let Some(Ok(_)) = body.next().await {} };
    // A server that does not close in time costs a connection, not a task.
    let _ = tokio::time::timeout(GRACE, rest).await;
}
