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

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment};
    use crate::policy::HostPolicy;

    use super::Endpoint;

    #[track_caller]
    fn check(url: Option<&str>, set: impl FnOnce(&mut Config), expected: &str) {
        let variables = [("HOME".to_owned(), "/home/u".into())];
        let mut config = Config { environment: Environment::new(variables.into()), ..Config::default() };
        config.codex.app_server.url = url.map(|url| url.parse().unwrap());
        set(&mut config);
        let policy = HostPolicy::new(vec!["allowed:4500".parse().unwrap()]);
        let shown = match Endpoint::from_config(&config, &policy) {
            Some(Ok(Endpoint::WebSocket { url, .. })) => format!("websocket {url}"),
            Some(Ok(Endpoint::Http { url, .. })) => format!("http {url}"),
            Some(Ok(Endpoint::Unix { path })) => format!("unix {}", path.display()),
            Some(Ok(Endpoint::Child(_))) => "child".to_owned(),
            Some(Err(fault)) => format!("{}: {fault}", fault.kind.as_str()),
            None => "none".to_owned(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn it_is_where_the_user_says_and_a_url_goes_before_a_child() {
        check(None, |_| {}, "none");
        check(None, |config| config.codex.app_server.spawn = true, "child");
        let url = "ws://allowed:4500";
        check(Some(url), |config| config.codex.app_server.spawn = true, "websocket ws://allowed:4500/");
        check(Some("allowed:4500"), |_| {}, "http http://allowed:4500/rpc");
        check(Some("unix:///run/s"), |_| {}, "unix /run/s");
    }

    #[test]
    fn the_usual_socket_is_below_the_home_of_codex() {
        const SOCKET: &str = "app-server-control/app-server-control.sock";
        check(Some("unix://"), |_| {}, &format!("unix /home/u/.codex/{SOCKET}"));
        check(Some("unix://"), |config| config.codex.home = Some("/c".into()), &format!("unix /c/{SOCKET}"));
    }

    #[test]
    fn hosts_have_to_be_allowed_and_files_need_not() {
        for url in ["ws://other:4500", "wss://other:4500", "http://other:4500", "https://other:4500"] {
            let message = "the host other:4500 of the Codex app-server is not on the list of allowed hosts";
            check(Some(url), |_| {}, &format!("host-not-allowed: {message}"));
        }
    }
}
