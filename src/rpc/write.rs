//! The task that writes the frames of a connection, at the pace of whoever reads them.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::transport::{Sink, Written};

/// Frames handed to the transport at once.
const WRITE_BATCH: usize = 64;

/// Ends when the queue is closed, when it is told to finish and has written what is queued, or when the other side is
/// gone or takes no byte for as long as the limit allows; then `closed` fires.
pub async fn write(
    mut sink: Box<dyn Sink>,
    mut queue: mpsc::Receiver<String>,
    mut finish: oneshot::Receiver<()>,
    limit: Duration,
    closed: CancellationToken,
) {
    let mut batch = Vec::with_capacity(WRITE_BATCH);
    let mut finishing = false;
    loop {
        let received = tokio::select! {
            biased;
            received = queue.recv_many(&mut batch, WRITE_BATCH) => received,
            () = sink.gone() => {
                tracing::debug!("nobody reads what is written to the client");
                return closed.cancel();
            }
            _ = &mut finish, if !finishing => {
                finishing = true;
                queue.close();
                continue;
            }
        };
        if received == 0 {
            return;
        }
        sink.queue(&batch);
        batch.clear();
        loop {
            // Each piece has the whole limit: a client that reads slowly still reads.
            match timeout(limit, sink.write()).await {
                Ok(Ok(Written::All)) => break,
                Ok(Ok(Written::Some)) => {}
                // The reason goes to the log at most: stderr may be the same broken pipe.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "writing to the client failed");
                    return closed.cancel();
                }
                Err(_) => {
                    tracing::info!("a client that took nothing for {limit:?} is cut off");
                    return closed.cancel();
                }
            }
        }
    }
}
