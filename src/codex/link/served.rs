//! A link whose connections come out of a channel, for tests of what goes over it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use super::socket::Bytestream;
use super::state::Limits;
use super::way::{self, Line, Way};
use super::{Fault, FaultKind, Link, Listener};
use crate::policy::Redactor;

pub(super) struct Served(pub(super) mpsc::Sender<DuplexStream>);

pub(in crate::codex) fn served(connects: mpsc::Sender<DuplexStream>, listener: Arc<dyn Listener>) -> Link {
    let timeout = Duration::from_secs(30);
    Link::over(Box::new(Served(connects)), Limits::default(), timeout, Redactor::default(), listener)
}

impl Way for Served {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let connects = self.0.clone();
        async move {
            let (ours, theirs) = duplex(64 * 1024);
            let nobody = |_| Fault::new(FaultKind::NothingListening, "nobody serves the connection");
            connects.send(theirs).await.map_err(nobody)?;
            Ok(Box::new(ours) as Box<dyn Bytestream>)
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        way::upgrade_local(stream)
    }
}
