//! A server that plays a script: one answer a request, in order, the last again and again. It remembers what it was
//! asked, and notices who hangs up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::serving::{self, read_request, respond, until_left};

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Answer {
    bytes: String,
    /// Whether nothing more is said, and the line stays open until the other side closes it.
    holds: bool,
}

impl Answer {
    pub fn of(bytes: String) -> Self {
        Self { bytes, holds: false }
    }

    pub fn holding(bytes: impl Into<String>) -> Self {
        Self { bytes: bytes.into(), holds: true }
    }
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    held: watch::Receiver<usize>,
    hung_up: watch::Receiver<usize>,
}

impl Server {
    pub async fn start(script: Vec<Answer>) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let ((hold, held), (hang_up, hung_up)) = (watch::channel(0), watch::channel(0));
        let log = Arc::clone(&asked);
        let url = serving::serve(move |stream| {
            let (script, log) = (script.clone(), Arc::clone(&log));
            let (hold, hang_up) = (hold.clone(), hang_up.clone());
            async move {
                let ended = converse(stream, &script, &log, &hold).await;
                hang_up.send_modify(|count| *count += 1);
                ended
            }
        });
        let url = url.await;
        Self { url, asked, held, hung_up }
    }

    /// Head and body of each request.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Waits until so many answers have been begun that are held.
    pub async fn holds(&mut self, count: usize) {
        let held = timeout(PATIENCE, self.held.wait_for(|held| *held >= count)).await;
        held.expect("the server is asked").expect("it lives");
    }

    /// Waits until so many connections are closed.
    pub async fn lost(&mut self, count: usize) {
        let lost = timeout(PATIENCE, self.hung_up.wait_for(|lost| *lost >= count)).await;
        lost.expect("the client hangs up").expect("it lives");
    }
}

async fn converse(
    mut stream: TcpStream,
    script: &[Answer],
    log: &Mutex<Vec<String>>,
    hold: &watch::Sender<usize>,
) -> std::io::Result<()> {
    let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
    let turn = {
        let mut log = log.lock().expect("no panic");
        log.push(request);
        log.len() - 1
    };
    let answer = &script[turn.min(script.len() - 1)];
    if !answer.holds {
        return respond(stream, &answer.bytes).await;
    }
    stream.write_all(answer.bytes.as_bytes()).await?;
    hold.send_modify(|count| *count += 1);
    until_left(stream).await
}
