//! Bytes to a host, plain or over TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::socket::Bytestream;
use super::{Fault, FaultKind};

/// Reading the system's certificates takes time: once is enough.
#[derive(Clone, Default)]
pub(super) struct Trust {
    settings: Arc<Mutex<Option<Arc<ClientConfig>>>>,
}

impl Trust {
    #[cfg(test)]
    pub(super) fn only(settings: ClientConfig) -> Self {
        Self { settings: Arc::new(Mutex::new(Some(Arc::new(settings)))) }
    }

    fn load(&self) -> Result<Arc<ClientConfig>, Fault> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = &*settings {
            return Ok(settings.clone());
        }
        let built = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| {
                Fault::new(FaultKind::Broken, format!("secure connections are not possible here: {error}"))
                    .with_hint("install the system's CA certificates (package ca-certificates)")
            })?;
        Ok(settings.insert(Arc::new(built.with_no_client_auth())).clone())
    }
}

/// To where a `ws` or `wss` URL points.
pub(super) async fn connect(url: &Url, trust: Trust) -> Result<Box<dyn Bytestream>, Fault> {
    let host = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => url.host_str().unwrap_or_default().to_owned(),
    };
    let port = url.port_or_known_default().unwrap_or_default();
    let place = format!("{}:{port}", url.host_str().unwrap_or_default());
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| unreachable(&place, &error))?;
    stream.set_nodelay(true).map_err(|error| unreachable(&place, &error))?;
    let stream = Prompt(stream);
    if url.scheme() != "wss" {
        return Ok(Box::new(stream));
    }
    let settings = tokio::task::spawn_blocking(move || trust.load())
        .await
        .unwrap_or_else(|_| Err(Fault::new(FaultKind::Closed, "the daemon stopped while certificates were read")))?;
    let name = ServerName::try_from(host).map_err(|_| {
        Fault::new(FaultKind::Protocol, format!("{place} is no name that a certificate can be issued for"))
    })?;
    let secured = TlsConnector::from(settings).connect(name, stream).await;
    let secured = secured.map_err(|error| {
        let message = format!("no secure connection to the Codex app-server at {place}: {error}");
        Fault::new(FaultKind::Broken, message)
            .with_hint("its certificate has to be valid, and its issuer among those that this machine trusts")
    })?;
    Ok(Box::new(secured))
}

pub(super) fn unreachable(place: &str, error: &io::Error) -> Fault {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("no Codex app-server listens at {place}")
        }
        _ => format!("the Codex app-server at {place} cannot be reached: {error}"),
    };
    Fault::new(FaultKind::NothingListening, message)
        .with_hint("start one with `codex app-server --listen ADDRESS`, or let the daemon do so: codex.spawn = true")
}

/// The server holds small frames back until those before them are acknowledged, which the kernel of this side puts off
/// by 40 ms unless it is told, after each read, that there is no time to lose.
struct Prompt(TcpStream);

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, buffer));
        #[cfg(target_os = "linux")]
        let _ = self.0.set_quickack(true);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
