//! Where the app-server is, as a plain value, from what the user has set. Nothing is opened here.

use std::path::PathBuf;

use url::Url;

use super::program::variable;
use super::{Fault, FaultKind, Program};
use crate::config::{AppServer, AppServerUrl, Config, Secret};
use crate::policy::HostPolicy;

#[derive(Clone, Debug)]
pub enum Endpoint {
    /// `ws` or `wss`.
    WebSocket {
        url: Url,
        token: Option<Secret>,
    },
    Unix {
        path: PathBuf,
    },
    Http {
        url: Url,
        token: Option<Secret>,
    },
    /// One that the daemon starts.
    Child(Program),
}

const CONTROL_SOCKET: &str = "app-server-control/app-server-control.sock";

impl Endpoint {
    /// None if no app-server is configured.
    pub fn from_config(config: &Config, policy: &HostPolicy) -> Option<Result<Self, Fault>> {
        let AppServer { url, token, spawn, .. } = &config.codex.app_server;
        let token = token.clone();
        let Some(url) = url.clone() else {
            return spawn.then(|| Ok(Self::Child(Program::from_config(config))));
        };
        Some(match url {
            AppServerUrl::WebSocket(url) => allowed(policy, &url).map(|()| Self::WebSocket { url, token }),
            AppServerUrl::Http(url) => allowed(policy, &url).map(|()| Self::Http { url, token }),
            AppServerUrl::Unix(Some(path)) => Ok(Self::Unix { path }),
            AppServerUrl::Unix(None) => {
                codex_home(config).map(|home| Self::Unix { path: home.join(CONTROL_SOCKET) }).ok_or_else(no_home)
            }
        })
    }
}

fn codex_home(config: &Config) -> Option<PathBuf> {
    let path = |name| variable(&config.environment, name).map(PathBuf::from);
    let home = || path("HOME").map(|home| home.join(".codex"));
    config.codex.home.clone().or_else(|| path("CODEX_HOME")).or_else(home)
}

fn no_home() -> Fault {
    Fault::new(FaultKind::NothingListening, "it is not known where the socket of the Codex app-server is")
        .with_hint("set CODEX_HOME, or give the path as in CODEX_APP_SERVER_URL=unix:///run/codex.sock")
}

/// The policy speaks of `http` and `https`; a WebSocket begins as one of them.
fn allowed(policy: &HostPolicy, url: &Url) -> Result<(), Fault> {
    let plain = url.as_str();
    let as_http = plain.strip_prefix("ws").map_or_else(|| plain.to_owned(), |rest| format!("http{rest}"));
    let host = match Url::parse(&as_http) {
        Ok(url) => policy.check(&url).err(),
        Err(_) => Some(url.host_str().unwrap_or_default().to_owned()),
    };
    host.map_or(Ok(()), |host| {
        let message = format!("the host {host} of the Codex app-server is not on the list of allowed hosts");
        Err(Fault::new(FaultKind::HostNotAllowed, message)
            .with_hint(format!("add {host} to ALLOWED_HOSTS if requests may go there")))
    })
}
