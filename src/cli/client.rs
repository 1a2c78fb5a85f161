//! A connection to the daemon, seen from a command: requests out, events and questions in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jsonrpsee::types::{ErrorObjectOwned, Extensions, Params};
use jsonrpsee::{Methods, RpcModule};
use serde_json::value::{RawValue, to_raw_value};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::daemon::Daemon;
use crate::protocol::{
    ApprovalAnswer, ApprovalParams, ClientCapabilities, ClientInfo, ErrorData, EventParams, InitializeParams, Method,
    Notification, names,
};
use crate::rpc::{self, Peer, PeerError, Reason, RpcError, Service, Verdict};
use crate::transport::{FrameLimits, Transport, byte_stream, never, unix_client};

/// A turn may take as long as its model does; the user can always interrupt.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

const LIMITS: rpc::Limits =
    rpc::Limits { json_depth: 256, in_flight: 64, outbound_frames: 256, write_timeout: Duration::from_secs(30) };
const FRAMES: FrameLimits = FrameLimits { frame_bytes: 64 * 1024 * 1024, header_bytes: 8 * 1024 };

/// Events that may wait for the command.
const EVENTS: usize = 16 * 1024;

#[derive(Clone)]
pub struct Client {
    peer: Peer,
}

/// What the daemon sends of its own accord, in order. A command that does not read it misses events, never answers.
pub type Inbound = mpsc::Receiver<Message>;

pub enum Message {
    Event(Box<EventParams>),
    /// Answer it, or drop the sender to leave the actions held.
    Approval(ApprovalParams, oneshot::Sender<ApprovalAnswer>),
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{}", .0.message())]
    Refused(ErrorObjectOwned),
    #[error("the daemon is gone")]
    Gone,
    #[error("the daemon answered with something else: {0}")]
    Unexpected(String),
}

impl CallError {
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Refused(error) => Some(error.code()),
            Self::Gone | Self::Unexpected(_) => None,
        }
    }

    /// What the daemon says about it beside the message.
    pub fn data(&self) -> Option<ErrorData> {
        let Self::Refused(error) = self else { return None };
        serde_json::from_str(error.data()?.get()).ok()
    }
}

impl Client {
    /// Connects to a daemon in this process and introduces itself. `approvals` says whether somebody can be asked.
    pub async fn connect(daemon: &Arc<Daemon>, approvals: bool) -> anyhow::Result<(Self, Inbound)> {
        let (reader, writer) = tokio::io::split(daemon.connect());
        let (client, inbox) = Self::over(byte_stream(reader, writer, never(), FRAMES)).await?;
        client.introduce(approvals).await?;
        Ok((client, inbox))
    }

    /// Connects to a daemon's socket, and leaves it to the caller who introduces itself as what.
    pub async fn dial(stream: UnixStream) -> anyhow::Result<(Self, Inbound)> {
        Self::over(unix_client(stream, FRAMES)).await
    }

    async fn over(transport: Transport) -> anyhow::Result<(Self, Inbound)> {
        let (events, inbox) = mpsc::channel(EVENTS);
        let (connected, peer) = oneshot::channel();
        let serve = rpc::serve(transport, LIMITS, rpc::Stops::default(), move |peer: Peer| {
            // The receiver is waiting below.
            let _ = connected.send(peer);
            Arc::new(Inbox::new(events))
        });
        tokio::spawn(serve);
        Ok((Self { peer: peer.await.context("the connection did not start")? }, inbox))
    }

    /// Returns when the daemon has hung up.
    pub async fn ended(&self) {
        self.peer.closed().cancelled().await;
    }

    pub async fn introduce(&self, approvals: bool) -> anyhow::Result<()> {
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let params = InitializeParams {
            client_info: Some(ClientInfo { name: "open-think".to_owned(), version }),
            capabilities: ClientCapabilities { approvals, skills: false },
            ..InitializeParams::default()
        };
        self.call::<names::Initialize>(&params).await?;
        self.notify(names::Initialized::NAME, "{}").await;
        Ok(())
    }

    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Result, CallError> {
        let params = to_raw_value(params).map_err(|error| CallError::Unexpected(error.to_string()))?;
        let result = self.raw(M::NAME, params.get()).await?;
        serde_json::from_str(result.get()).map_err(|error| CallError::Unexpected(error.to_string()))
    }

    /// `params` is the text of a JSON object.
    pub async fn raw(&self, method: &str, params: &str) -> Result<Box<RawValue>, CallError> {
        self.peer.request(method, params, PATIENCE).await.map_err(|error| match error {
            PeerError::Refused(error) => CallError::Refused(error),
            PeerError::Gone | PeerError::TimedOut => CallError::Gone,
        })
    }

    pub async fn notify(&self, method: &str, params: &str) {
        // A daemon that is gone fails the next request.
        let _ = self.peer.notify(method, params).await;
    }
}

/// Takes in what the daemon sends.
struct Inbox {
    methods: Methods,
    events: mpsc::Sender<Message>,
}

impl Inbox {
    fn new(events: mpsc::Sender<Message>) -> Self {
        let mut module = RpcModule::new(events.clone());
        module
            .register_async_method(names::Approval::NAME, |params, events, _| async move {
                approval(&params, &events).await
            })
            .expect("it is the only method");
        Self { methods: module.into(), events }
    }
}

async fn approval(params: &Params<'_>, events: &mpsc::Sender<Message>) -> Result<ApprovalAnswer, ErrorObjectOwned> {
    let nobody = || ErrorObjectOwned::owned(rpc::INTERNAL_ERROR, "nobody decided", None::<()>);
    let params: ApprovalParams = params.parse()?;
    let (answer, decided) = oneshot::channel();
    events.send(Message::Approval(params, answer)).await.map_err(|_| nobody())?;
    decided.await.map_err(|_| nobody())
}

impl Service for Inbox {
    fn methods(&self) -> &Methods {
        &self.methods
    }

    fn admit(&self, _: &str) -> Result<(), RpcError> {
        Ok(())
    }

    fn extend(&self, _: &mut Extensions) {}

    fn notification(&self, method: &str, params: Option<&RawValue>) -> Verdict {
        let event = params.filter(|_| method == names::ConductorEvent::NAME);
        if let Some(Ok(event)) = event.map(|params| serde_json::from_str::<EventParams>(params.get())) {
            // A command that does not read its events misses them; the final answer holds everything.
            let _ = self.events.try_send(Message::Event(Box::new(event)));
        }
        Verdict::Continue
    }

    fn is_spare(&self) -> bool {
        false
    }

    fn fault(&self, reason: Reason) -> RpcError {
        ErrorObjectOwned::owned(reason.code(), format!("{reason:?}"), None::<()>)
    }
}
