//! Opening the listener: where, with which token, and never for others without TLS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use super::guard::Guard;
use super::tls::{self, TlsError};
use super::token::{self, TokenError};
use crate::config::{Config, Listen, Secret};

const PATIENCE: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(20);

/// A listener that nobody serves yet.
pub struct Opened {
    pub listener: TcpListener,
    /// By which clients reach it.
    pub url: String,
    pub token: Secret,
    pub token_file: PathBuf,
    pub guard: Arc<Guard>,
    pub(super) tls: Option<TlsAcceptor>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{0} is reached from other machines, and what is said there could be read on the way: listen at \
         http://127.0.0.1:PORT, or at https:// with tls_cert and tls_key under [daemon]"
    )]
    NotLoopback(Listen),
    #[error(
        "{0} needs a certificate: set tls_cert and tls_key under [daemon] to PEM files, or listen at http://127.0.0.1:PORT"
    )]
    NoCertificate(Listen),
    #[error("cannot listen at {0}: {1}; is it taken? open-think status shows what listens where")]
    Bind(Listen, io::Error),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl OpenError {
    /// Whether what was asked for is at fault, and not what was found.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::NotLoopback(_) | Self::NoCertificate(_))
    }
}

/// Listens from now on; nothing is answered until it is served.
pub async fn open(config: &Config, listen: Listen) -> Result<Opened, OpenError> {
    if !listen.tls && !listen.address.ip().is_loopback() {
        return Err(OpenError::NotLoopback(listen));
    }
    let tls = match (listen.tls, &config.serving.tls.cert, &config.serving.tls.key) {
        (false, ..) => None,
        (true, Some(cert), Some(key)) => Some(tls::acceptor(cert, key)?),
        (true, ..) => return Err(OpenError::NoCertificate(listen)),
    };
    let (token, token_file) = token::load_or_make(&config.state_dir)?;
    let bound = |error| OpenError::Bind(listen, error);
    let listener = bind(listen).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let (hosts, origins) = (&config.serving.allowed_hosts, &config.serving.allowed_origins);
    let guard = Arc::new(Guard::new(token.clone(), address, listen.tls, hosts, origins));
    let url = Listen { address, ..listen }.to_string();
    Ok(Opened { listener, url, token, token_file, guard, tls })
}

/// A daemon that makes way for this one may take a moment to be gone from there.
async fn bind(listen: Listen) -> io::Result<TcpListener> {
    let patience = Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind(listen.address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < patience => sleep(AGAIN).await,
            bound => return bound,
        }
    }
}
