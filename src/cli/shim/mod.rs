//! The shim: stands between a client on a byte stream and the shared daemon, and moves frames both ways.
//!
//! Nothing is kept here but what is under way: a frame is read from one side only when the other has room for it, so
//! that a client that reads slowly holds up its own conversation and no more. A daemon that goes is replaced once it is
//! gone, and `core.rs` knows what becomes of the conversation.

mod core;
mod glance;
mod link;
mod offers;

pub use link::{Link, Opener};

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::daemon::{Signals, parent};
use crate::rpc::{Reason, write};
use crate::transport::{Fault, Inbound, ReadError, Sink, Source, Transport};
use core::{Alone, Core, FromClient, refusal};

/// Frames that wait to be written on either side.
const QUEUE: usize = 16;

/// How long either side may take no byte.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// After the end of input: until when the daemon may answer, and the answers may be written. Editors kill a server that
/// takes more than two seconds.
const DRAIN: Duration = Duration::from_millis(1950);

/// The same for a client that is to be left now.
const FLUSH: Duration = Duration::from_millis(300);

/// A daemon that goes so often within so long, and leaves something unanswered, is not started again.
const LOSSES: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

/// How the conversation came to its end.
#[derive(Debug)]
pub enum End {
    InputEnded,
    /// The client sent what is no frame.
    Broken(Fault),
    /// The client said so, with this exit code.
    Exit(u8),
    /// Nobody is there any more who reads.
    Gone,
    /// A signal.
    Stopped,
    /// The daemon is gone, and there is no other.
    Lost(anyhow::Error),
}

/// A side that is written to.
struct Out {
    frames: mpsc::Sender<String>,
    finish: oneshot::Sender<()>,
    closed: CancellationToken,
    writer: JoinHandle<()>,
}

impl Out {
    fn new(sink: Box<dyn Sink>) -> Self {
        let (frames, queue) = mpsc::channel(QUEUE);
        let (finish, finished) = oneshot::channel();
        let closed = CancellationToken::new();
        let writer = tokio::spawn(write(sink, queue, finished, WRITE_TIMEOUT, closed.clone()));
        Self { frames, finish, closed, writer }
    }

    /// Waits for room. That nobody reads any more is noticed elsewhere.
    async fn send(&self, frame: String) {
        let _ = self.frames.send(frame).await;
    }

    /// Writes what waits, and hangs up.
    async fn finish(mut self, deadline: Instant) {
        let _ = self.finish.send(());
        if timeout_at(deadline, &mut self.writer).await.is_err() {
            self.writer.abort();
        }
    }
}

struct Shim {
    core: Core,
    input: Box<dyn Source>,
    client: Out,
    source: Box<dyn Source>,
    daemon: Out,
    opener: Opener,
    /// When daemons have gone.
    losses: VecDeque<Instant>,
    /// What the client said while there was none.
    held: Option<Result<Option<Inbound>, ReadError>>,
    parent: watch::Sender<Option<i64>>,
}

enum Heard {
    Client(Result<Option<Inbound>, ReadError>),
    Daemon(Result<Option<Inbound>, ReadError>),
    DaemonClosed,
}

/// Serves the client to its end; `parent` is the process that it named when it started this one.
pub async fn run((input, sink): Transport, link: Link, opener: Opener, parent: Option<i64>) -> std::io::Result<End> {
    let mut signals = Signals::listen()?;
    let (parent, named) = watch::channel(parent);
    let mut shim = Shim {
        core: Core::default(),
        input,
        client: Out::new(sink),
        source: link.source,
        daemon: Out::new(link.sink),
        opener,
        losses: VecDeque::new(),
        held: None,
        parent,
    };
    let gone = async {
        tokio::select! {
            () = parent::gone(named) => {}
            () = parent::orphaned() => {}
        }
    };
    tokio::pin!(gone);
    let closed = shim.client.closed.clone();
    let end = tokio::select! {
        biased;
        () = closed.cancelled() => End::Gone,
        () = gone => End::Gone,
        _ = signals.next() => End::Stopped,
        end = shim.pass_on() => end,
    };
    shim.end(&end).await;
    Ok(end)
}

impl Shim {
    /// Until the conversation ends. May be dropped between two frames.
    async fn pass_on(&mut self) -> End {
        loop {
            let held = self.held.take();
            let heard = match held {
                Some(held) => Heard::Client(held),
                None => self.hear().await,
            };
            let end = match heard {
                Heard::Client(said) => self.client_said(said).await,
                Heard::Daemon(Ok(Some(Inbound::Frame(text)))) => {
                    if let Some(frame) = self.core.daemon_says(&text) {
                        self.client.send(frame.into_owned()).await;
                    }
                    None
                }
                Heard::Daemon(_) | Heard::DaemonClosed => self.find_another().await,
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let (to_daemon, to_client) = (self.daemon.frames.clone(), self.client.frames.clone());
        // Neither side goes first: one that never stops talking must not silence the other.
        tokio::select! {
            said = async {
                let _room = to_daemon.reserve().await;
                self.input.next().await
            } => Heard::Client(said),
            said = async {
                let _room = to_client.reserve().await;
                self.source.next().await
            } => Heard::Daemon(said),
            () = self.daemon.closed.cancelled() => Heard::DaemonClosed,
        }
    }

    async fn client_said(&mut self, said: Result<Option<Inbound>, ReadError>) -> Option<End> {
        match said {
            Ok(Some(Inbound::Frame(text))) => match self.core.client_says(&text) {
                FromClient::ToDaemon(frame) => {
                    let frame = frame.into_owned();
                    self.parent_is_known();
                    self.daemon.send(frame).await;
                }
                FromClient::Drop => {}
                FromClient::Exit(code) => {
                    self.daemon.send(text).await;
                    return Some(End::Exit(code));
                }
            },
            Ok(Some(Inbound::TooLong { limit })) => self.client.send(refusal(None, Reason::TooLong { limit })).await,
            Ok(Some(Inbound::NotUtf8)) => self.client.send(refusal(None, Reason::NotUtf8)).await,
            Ok(None) | Err(ReadError::Io(_)) => return Some(End::InputEnded),
            Err(ReadError::Framing(fault)) => return Some(End::Broken(fault)),
        }
        None
    }

    fn parent_is_known(&self) {
        let parent = self.core.parent();
        self.parent.send_if_modified(|known| {
            let new = parent.is_some() && *known != parent;
            if new {
                *known = parent;
            }
            new
        });
    }

    /// Answers what the daemon has left open, and goes on with another one.
    async fn find_another(&mut self) -> Option<End> {
        let was_waiting = self.core.is_waiting();
        for frame in self.core.lost() {
            self.client.send(frame).await;
        }
        if was_waiting {
            let now = Instant::now();
            self.losses.retain(|lost| now.duration_since(*lost) < WITHIN);
            self.losses.push_back(now);
        }
        if self.losses.len() >= LOSSES {
            return Some(End::Lost(anyhow::anyhow!(
                "the daemon has gone {LOSSES} times within a minute; its log says why"
            )));
        }
        let link = match self.open().await {
            Ok(Some(link)) => link,
            Ok(None) => return None,
            Err(error) => return Some(End::Lost(error)),
        };
        self.source = link.source;
        self.daemon = Out::new(link.sink);
        for frame in self.core.restored() {
            self.daemon.send(frame).await;
        }
        None
    }

    /// The daemon that there is. None is started before the client has something to say to it: somebody may have ended
    /// the last one on purpose. None if the client has taken its leave instead.
    async fn open(&mut self) -> anyhow::Result<Option<Link>> {
        let waits = self.core.is_waiting();
        let open = async {
            match waits {
                true => self.opener.open().await,
                false => Ok(self.opener.there().await),
            }
        };
        tokio::pin!(open);
        let (said, ended) = loop {
            let said = tokio::select! {
                link = &mut open => return link.map(Some),
                said = self.input.next() => said,
            };
            match &said {
                Ok(Some(Inbound::Frame(text))) if !waits => match self.core.says_alone(text) {
                    Alone::Answered(frame) => self.client.send(frame).await,
                    Alone::Drop => {}
                    Alone::Leaves => break (said, true),
                    Alone::Asks => break (said, false),
                },
                Ok(Some(_)) => break (said, false),
                Ok(None) | Err(_) => break (said, true),
            }
        };
        self.held = Some(said);
        match (ended, waits) {
            (true, _) => Ok(None),
            (false, true) => open.await.map(Some),
            (false, false) => self.opener.open().await.map(Some),
        }
    }

    async fn end(mut self, end: &End) {
        let start = Instant::now();
        match end {
            // To something that is no JSON-RPC client nothing is said.
            End::Broken(Fault::Header(why)) => {
                let refusal = refusal(None, Reason::BrokenHeader(why.clone()));
                self.drain(start + DRAIN, Some(refusal)).await;
            }
            End::InputEnded | End::Broken(Fault::NotJsonRpc) | End::Exit(_) => self.drain(start + DRAIN, None).await,
            End::Stopped => {
                for frame in self.core.cancel_all() {
                    let _ = self.daemon.frames.try_send(frame);
                }
                self.daemon.finish(start + FLUSH).await;
                let answers = self.core.fail_all();
                let answer = async {
                    for frame in answers {
                        self.client.send(frame).await;
                    }
                };
                let _ = timeout(FLUSH, answer).await;
                self.client.finish(start + 2 * FLUSH).await;
            }
            End::Lost(_) => self.client.finish(start + FLUSH).await,
            End::Gone => {}
        }
    }

    /// Hangs up on the daemon, and passes on what it still has to say before the last word is ours.
    async fn drain(mut self, deadline: Instant, last: Option<String>) {
        self.daemon.finish(deadline).await;
        let rest = async {
            while let Ok(Some(Inbound::Frame(text))) = self.source.next().await {
                if let Some(frame) = self.core.daemon_says(&text) {
                    self.client.send(frame.into_owned()).await;
                }
            }
        };
        // A client that no longer reads is not waited for.
        let closed = self.client.closed.clone();
        tokio::select! {
            _ = timeout_at(deadline, rest) => {}
            () = closed.cancelled() => {}
        }
        let answers = self.core.fail_all();
        let answer = async {
            for frame in answers.into_iter().chain(last) {
                self.client.send(frame).await;
            }
        };
        let _ = timeout_at(deadline + FLUSH, answer).await;
        self.client.finish(deadline + FLUSH).await;
    }
}
