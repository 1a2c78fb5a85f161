//! How a connection to an app-server is made, up to the bytes and then up to the WebSocket.

use std::future::ready;
use std::io;
use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::{TcpStream, UnixStream};
use url::{Host, Url};

use super::socket::{Bytestream, Socket};
use super::{Endpoint, Fault, FaultKind};
use crate::config::Secret;

/// What is common to the ways over which a WebSocket goes.
pub(super) trait Way: Send + Sync {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>>;

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Socket, Fault>>;

    /// The process, where it is a child of ours.
    fn pid(&self) -> Option<u32> {
        None
    }
}

pub(super) fn way(endpoint: Result<Endpoint, Fault>) -> Box<dyn Way> {
    match endpoint {
        Ok(Endpoint::WebSocket { url, token } | Endpoint::Http { url, token }) => Box::new(Tcp { url, token }),
        Ok(Endpoint::Unix { path }) => Box::new(Unix { path }),
        Err(fault) => Box::new(Nowhere { fault }),
    }
}

struct Nowhere {
    fault: Fault,
}

impl Way for Nowhere {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        ready(Err(self.fault.clone())).boxed()
    }

    fn upgrade(&self, _: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Socket, Fault>> {
        ready(Err(self.fault.clone())).boxed()
    }
}

struct Tcp {
    url: Url,
    token: Option<Secret>,
}

impl Way for Tcp {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let url = self.url.clone();
        async move {
            let host = match url.host() {
                Some(Host::Ipv6(address)) => address.to_string(),
                _ => url.host_str().unwrap_or_default().to_owned(),
            };
            let port = url.port_or_known_default().unwrap_or_default();
            let place = format!("{}:{port}", url.host_str().unwrap_or_default());
            let stream = TcpStream::connect((host, port)).await.map_err(|error| unreachable(&place, &error))?;
            stream.set_nodelay(true).map_err(|error| unreachable(&place, &error))?;
            Ok(Box::new(stream) as Box<dyn Bytestream>)
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Socket, Fault>> {
        let (url, token) = (self.url.clone(), self.token.clone());
        async move { Socket::upgrade(stream, url.as_str(), token.as_ref()).await }.boxed()
    }
}

struct Unix {
    path: PathBuf,
}

impl Way for Unix {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let path = self.path.clone();
        async move {
            let stream = UnixStream::connect(&path).await;
            let stream = stream.map_err(|error| unreachable(&path.display().to_string(), &error))?;
            Ok(Box::new(stream) as Box<dyn Bytestream>)
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Socket, Fault>> {
        upgrade_local(stream)
    }
}

/// Over a Unix socket the host means nothing, and there is no token.
fn upgrade_local(stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Socket, Fault>> {
    async move { Socket::upgrade(stream, "ws://localhost/", None).await }.boxed()
}

fn unreachable(place: &str, error: &io::Error) -> Fault {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("no Codex app-server listens at {place}")
        }
        _ => format!("the Codex app-server at {place} cannot be reached: {error}"),
    };
    Fault::new(FaultKind::NothingListening, message)
        .with_hint("start one with `codex app-server --listen ADDRESS`, or let the daemon do so: codex.spawn = true")
}
