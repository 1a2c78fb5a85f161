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
    #[error("{0}")]
    Unfit(String),
    #[error(
        "cannot listen at {0}: {1}; end the program that has it, or name another port, as listen under [daemon], and \
         run open-think restart"
    )]
    Bind(Listen, io::Error),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl OpenError {
    /// Whether what was asked for is at fault, and not what was found.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::Unfit(_))
    }
}

/// Listens from now on; nothing is answered until it is served.
pub async fn open(config: &Config, listen: Listen) -> Result<Opened, OpenError> {
    let tls = examine(config, listen)?;
    let (token, token_file) = token::load_or_make(&config.state_dir)?;
    let bound = |error| OpenError::Bind(listen, error);
    let listener = bind(listen).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let (hosts, origins) = (&config.serving.allowed_hosts, &config.serving.allowed_origins);
    let guard = Arc::new(Guard::new(token.clone(), address, listen.tls, hosts, origins));
    let url = Listen { address, ..listen }.to_string();
    Ok(Opened { listener, url, token, token_file, guard, tls })
}

/// Whether it can be opened as far as the configuration goes, and TLS if it is spoken there.
fn examine(config: &Config, listen: Listen) -> Result<Option<TlsAcceptor>, OpenError> {
    listen.check(&config.serving.tls).map_err(OpenError::Unfit)?;
    match (&config.serving.tls.cert, &config.serving.tls.key) {
        (Some(cert), Some(key)) if listen.tls => Ok(Some(tls::acceptor(cert, key)?)),
        _ => Ok(None),
    }
}

/// What the configuration says of HTTP and does not hold, without opening anything.
pub fn check(config: &Config) -> Result<(), OpenError> {
    config.serving.listen.map_or(Ok(()), |listen| examine(config, listen).map(drop))
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
