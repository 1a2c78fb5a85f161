//! How connections are made: built at the first use, kept warm afterwards.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::Url;

use crate::model::{ErrorKind, ProviderError};

/// A turn can take minutes to think between two calls, and the connection should outlive that.
const KEEP_IDLE: Duration = Duration::from_secs(15 * 60);
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("open-think/", env!("CARGO_PKG_VERSION"));

/// Two clients, because loading the system's certificates takes time and memory that a local model server, which
/// speaks plain HTTP, has no use for.
pub(super) struct Clients {
    connect_timeout: Duration,
    /// Trusted instead of the system's, by tests.
    roots: Option<Vec<Certificate>>,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
}

impl Clients {
    pub(super) fn new(connect_timeout: Duration, roots: Option<Vec<Certificate>>) -> Self {
        Self { connect_timeout, roots, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    pub(super) fn for_url(&self, url: &Url) -> Result<&Client, ProviderError> {
        let client = match url.scheme() {
            "https" => self.secure.get_or_init(|| self.build(true)),
            _ => self.plain.get_or_init(|| self.build(false)),
        };
        client.as_ref().map_err(|why| {
            ProviderError::new(ErrorKind::Config, format!("secure connections are not possible here: {why}"))
                .with_hint("install the system's CA certificates (package ca-certificates)")
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
    fn build(&self, secure: bool) -> Result<Client, String> {
        // Fails only if the process has one already, which will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(PING_EVERY)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(KEEP_IDLE)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true);
        if !secure {
            builder = builder.tls_certs_only([]);
        } else if let Some(roots) = &self.roots {
            builder = builder.tls_certs_only(roots.clone());
        }
        builder.build().map_err(|error| error.to_string())
    }
}
