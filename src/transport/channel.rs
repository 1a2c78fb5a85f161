//! A transport of whole frames, for those who have cut them already: a WebSocket, a request of HTTP.

use std::collections::VecDeque;
use std::io;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Inbound, ReadError, Sink, Source, Transport, Written};

/// The other end. Dropping `outbound` says that nobody reads any more; dropping `inbound` that nothing more comes.
pub struct Line {
    pub inbound: mpsc::Sender<Inbound>,
    pub outbound: mpsc::Receiver<String>,
}

/// So many frames may be under way in each direction.
pub fn channel(capacity: usize) -> (Transport, Line) {
    let (inbound, frames) = mpsc::channel(capacity);
    let (writer, outbound) = mpsc::channel(capacity);
    let source = ChannelSource(frames);
    let sink = ChannelSink { writer, queued: VecDeque::new() };
    ((Box::new(source), Box::new(sink)), Line { inbound, outbound })
}

struct ChannelSource(mpsc::Receiver<Inbound>);

struct ChannelSink {
    writer: mpsc::Sender<String>,
    queued: VecDeque<String>,
}

#[async_trait]
impl Source for ChannelSource {
    async fn next(&mut self) -> Result<Option<Inbound>, ReadError> {
        Ok(self.0.recv().await)
    }
}

#[async_trait]
impl Sink for ChannelSink {
    fn queue(&mut self, frames: &[String]) {
        self.queued.extend(frames.iter().cloned());
    }

    async fn write(&mut self) -> io::Result<Written> {
        let place = self.writer.reserve().await.map_err(|_| io::ErrorKind::BrokenPipe)?;
        if let Some(frame) = self.queued.pop_front() {
            place.send(frame);
        }
        Ok(if self.queued.is_empty() { Written::All } else { Written::Some })
    }

    async fn gone(&mut self) {
        self.writer.closed().await;
    }
}
