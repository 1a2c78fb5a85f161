//! A shared daemon at work: takes connections on its socket until its life is over.
//!
//! The address is given back as soon as it is decided to end: a client that comes then starts a new daemon and need not
//! wait for the turns that this one still has to bring to their end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::inherited::Notice;
use super::life::{Activity, Life, Limits, Next};
use super::listen::{Listening, Standing};
use super::{CLOSE, Daemon, Signals, memory};
use crate::api::{AskedToStop, Via};
use crate::protocol::StopWhen;
use crate::transport;

/// Connections to the socket at once. More wait, unheard, until others have left.
const CONNECTIONS: usize = 4096;

/// Where no further connection can be taken, for want of descriptors for one: how long it waits.
const BREATHER: Duration = Duration::from_millis(100);

/// How often it is looked whether clients still find it: whoever cleans up may have removed the socket.
const LOOK: Duration = Duration::from_secs(5);

/// Why a shared daemon has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nobody needed it.
    Idle,
    /// It was asked to.
    Asked,
}

enum Heard {
    Client(io::Result<UnixStream>),
    Left,
    /// Of a request over HTTP.
    Request,
    Signal(SignalKind),
    Asked(AskedToStop),
    Look,
    Time,
}

impl Daemon {
    /// Serves all who connect, until nobody needs it or it is asked to end, by a client or by a signal.
    pub async fn serve_socket(self: Arc<Self>, listening: Listening, mut signals: Option<Signals>) -> Ended {
        let mut stops = self.app.stops();
        self.keep_warm();
        let reloader = Arc::clone(&self.reloader);
        let _watch = AbortOnDropHandle::new(tokio::spawn(async move { reloader.watch().await }));
        let limits = Limits { idle: self.serving.idle_timeout, drain: self.serving.drain_timeout };
        let mut server = Server {
            daemon: Arc::clone(&self),
            listening: Some(listening),
            life: Life::new(limits),
            looks: interval_at(Instant::now() + LOOK, LOOK),
            is_short: false,
            is_lost: false,
            was_needed: false,
            clients: JoinSet::new(),
        };
        server.looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        server.run(&mut signals, &mut stops).await;
        let ended = if server.life.is_ending() { Ended::Asked } else { Ended::Idle };
        tracing::info!(?ended, "the daemon ends");
        server.leave();
        self.stop.cancel();
        let clients = async { while server.clients.join_next().await.is_some() {} };
        if timeout(CLOSE, clients).await.is_err() {
            tracing::warn!("a connection did not end in time");
        }
        self.stop().await;
        ended
    }

    fn welcome(self: Arc<Self>, stream: UnixStream) -> impl Future<Output = ()> {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let transport = transport::unix(stream, self.frame_limits());
        async move {
            let end = self.serve(transport, Via::Unix { pid }).await;
            tracing::debug!(?end, pid, "a client has left");
        }
    }
}

struct Server {
    daemon: Arc<Daemon>,
    /// Until no new client is wanted any more.
    listening: Option<Listening>,
    life: Life,
    looks: Interval,
    /// No client could be taken, and that was said.
    is_short: bool,
    /// Clients cannot find it, and that was said.
    is_lost: bool,
    /// Somebody was there since memory was given back.
    was_needed: bool,
    clients: JoinSet<()>,
}

impl Server {
    async fn run(&mut self, signals: &mut Option<Signals>, stops: &mut mpsc::Receiver<AskedToStop>) {
        loop {
            let (clients, work) = self.daemon.app.activity(None);
            let activity = Activity { clients, work };
            let until = match self.life.look(activity, Instant::now()) {
                Next::End => return,
                Next::Wait(until) => until,
            };
            match self.hear(signals, stops, until).await {
                Heard::Client(Ok(stream)) => {
                    (self.is_short, self.was_needed) = (false, true);
                    self.clients.spawn(Arc::clone(&self.daemon).welcome(stream));
                }
                Heard::Client(Err(error)) => {
                    if !std::mem::replace(&mut self.is_short, true) {
                        tracing::warn!(%error, "a client could not be taken, and waits until one can");
                    }
                    sleep(BREATHER).await;
                }
                Heard::Left | Heard::Time => {}
                Heard::Request => {
                    self.was_needed = true;
                    self.life.touch();
                }
                Heard::Signal(signal) => self.signal(signal),
                Heard::Asked(asked) => self.asked(asked),
                Heard::Look => {
                    if activity.is_idle() && std::mem::take(&mut self.was_needed) {
                        memory::give_back();
                    }
                    self.look().await;
                }
            }
        }
    }

    async fn hear(
        &mut self,
        signals: &mut Option<Signals>,
        stops: &mut mpsc::Receiver<AskedToStop>,
        until: Option<Instant>,
    ) -> Heard {
        let listening = self.listening.as_ref().filter(|_| self.clients.len() < CONNECTIONS);
        let accept = async {
            match listening {
                Some(listening) => listening.accept().await,
                None => std::future::pending().await,
            }
        };
        let signal = async {
            match signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = signal => Heard::Signal(signal),
            Some(asked) = stops.recv() => Heard::Asked(asked),
            Some(_) = self.clients.join_next() => Heard::Left,
            client = accept => Heard::Client(client),
            () = self.daemon.requested.notified() => Heard::Request,
            _ = self.looks.tick() => Heard::Look,
            () = time => Heard::Time,
        }
    }

    fn signal(&mut self, signal: SignalKind) {
        tracing::info!(signal = signal.as_raw_value(), "a signal");
        match signal {
            signal if signal == SignalKind::hangup() => return self.daemon.reloader.reload_soon(),
            signal if signal == SignalKind::interrupt() => self.life.interrupt(Instant::now()),
            _ => self.life.drain(Instant::now()),
        }
        self.leave();
    }

    fn asked(&mut self, AskedToStop { when, by, answer }: AskedToStop) {
        let (others, work) = self.daemon.app.activity(Some(by));
        let refusal = match when {
            StopWhen::Idle if self.life.is_ending() => None,
            StopWhen::Idle if work > 0 => Some("something runs"),
            StopWhen::Idle if others > 0 => Some("other clients are connected"),
            _ => None,
        };
        if let Some(reason) = refusal {
            // A client that is gone does not need to know.
            let _ = answer.send(Err(reason));
            return;
        }
        tracing::info!(?when, by, "asked to stop");
        match when {
            StopWhen::Now => self.life.end(),
            StopWhen::Idle | StopWhen::Drain => self.life.drain(Instant::now()),
        }
        self.leave();
        let _ = answer.send(Ok(()));
    }

    async fn look(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        let looked = listening.look().await;
        let was_lost = std::mem::replace(&mut self.is_lost, looked.is_err());
        match looked {
            Ok(Standing::Whole) => {}
            Ok(Standing::Mended) => tracing::warn!("the socket, or what stands beside it, was gone; it is there again"),
            Ok(Standing::Taken) => {
                tracing::warn!("another process listens at the address by now, and this one makes way");
                self.life.drain(Instant::now());
                self.leave();
            }
            Err(_) if was_lost => {}
            Err(error) => tracing::error!(%error, "clients cannot find this daemon any more"),
        }
    }

    /// Gives the address back. Clients stay until what they wait for has come to its end; the others go on elsewhere.
    fn leave(&mut self) {
        if self.listening.is_some() {
            Notice::Stopping.send();
        }
        self.daemon.app.drain();
        self.daemon.leaving.cancel();
        self.listening = None;
    }
}
