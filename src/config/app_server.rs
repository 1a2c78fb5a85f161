//! The Codex app-server: where it is, or how it is started, and how far it may go.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::Secret;

#[derive(Clone, Debug)]
pub struct AppServer {
    pub url: Option<AppServerUrl>,
    pub token: Option<Secret>,
    /// What a request may take that says nothing of it.
    pub timeout: Duration,
    /// Whether the daemon starts one itself, where no URL is set.
    pub spawn: bool,
    /// Default `codex`, on the `PATH`.
    pub bin: Option<PathBuf>,
    /// The widest one that turns may have; those that propose have the narrowest.
    pub sandbox: Sandbox,
    /// Where turns work; default the daemon's own, if the app-server is on this machine.
    pub cwd: Option<PathBuf>,
    /// The names of variables that a started one gets beside the usual ones.
    pub env: Vec<String>,
    /// Methods that `codex.rpc` refuses; a `*` at the end stands for anything.
    pub refuse_methods: Vec<String>,
    /// How many of the sessions used last have their threads made ready at the start.
    pub warm_threads: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    ReadOnly,
    #[default]
    WorkspaceWrite,
    DangerFullAccess,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppServerUrl {
    /// `ws` or `wss`.
    WebSocket(Url),
    /// A WebSocket over a Unix socket; without a path it is the one below `CODEX_HOME`.
    Unix(Option<PathBuf>),
    /// `http` or `https`: one request a `POST`.
    Http(Url),
}

/// What reaches the user's files, processes or sign-in without the sandbox.
const REFUSED: [&str; 9] = [
    "fs/*",
    "process/*",
    "command/exec*",
    "thread/shellCommand",
    "config/*",
    "getAuthStatus",
    "account/login/*",
    "account/logout",
    "accountSession/switch",
];

impl Default for AppServer {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            timeout: Duration::from_secs(30),
            spawn: false,
            bin: None,
            sandbox: Sandbox::default(),
            cwd: None,
            env: Vec::new(),
            refuse_methods: REFUSED.map(str::to_owned).to_vec(),
            warm_threads: 3,
        }
    }
}

impl AppServer {
    /// Whether it answers each request by itself, and tells nothing in between.
    pub fn is_shim(&self) -> bool {
        matches!(self.url, Some(AppServerUrl::Http(_)))
    }

    /// Whether turns go to an app-server.
    pub fn is_configured(&self) -> bool {
        self.url.is_some() || self.spawn
    }

    /// Which of the refused methods this one is, as the configuration names it.
    pub fn refuses(&self, method: &str) -> Option<&str> {
        let is_it = |pattern: &&String| match pattern.strip_suffix('*') {
            Some(beginning) => method.starts_with(beginning),
            None => method == pattern.as_str(),
        };
        self.refuse_methods.iter().find(is_it).map(String::as_str)
    }
}

impl AppServerUrl {
    /// The one of a host, if it is reached over the network.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::WebSocket(url) | Self::Http(url) => Some(url),
            Self::Unix(_) => None,
        }
    }
}

impl FromStr for AppServerUrl {
    type Err = String;

    /// A bare host is that of a shim. The error quotes nothing: there may be a token in it.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            let path = PathBuf::from(path);
            return match path.as_os_str().is_empty() {
                true => Ok(Self::Unix(None)),
                false if path.is_absolute() => Ok(Self::Unix(Some(path))),
                false => Err("must be unix:// and an absolute path, as in unix:///run/codex.sock".to_owned()),
            };
        }
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url =
            Url::parse(&with_scheme).map_err(|why| format!("must be a URL such as ws://127.0.0.1:4500: {why}"))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("must hold no password, ? or #: give the token in CODEX_APP_SERVER_TOKEN".to_owned());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("must be a URL with a host".to_owned());
        }
        match url.scheme() {
            "ws" | "wss" => Ok(Self::WebSocket(url)),
            "http" | "https" => {
                if url.path() == "/" {
                    url.set_path("/rpc");
                }
                Ok(Self::Http(url))
            }
            _ => Err("must start with ws://, wss://, unix://, http:// or https://".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AppServer, AppServerUrl};

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match text.parse() {
            Ok(AppServerUrl::WebSocket(url)) => format!("websocket {url}"),
            Ok(AppServerUrl::Unix(path)) => format!("unix {path:?}"),
            Ok(AppServerUrl::Http(url)) => format!("http {url}"),
            Err(why) => why,
        };
        assert!(shown.starts_with(expected), "{text}: {shown}");
    }

    #[test]
    fn addresses_say_how_the_server_is_reached() {
        check("ws://127.0.0.1:4500", "websocket ws://127.0.0.1:4500/");
        check("wss://codex.example.com/socket", "websocket wss://codex.example.com/socket");
        check("unix:///run/codex.sock", "unix Some(\"/run/codex.sock\")");
        check("unix://", "unix None");
        check("127.0.0.1:4500", "http http://127.0.0.1:4500/rpc");
        check("https://codex.example.com", "http https://codex.example.com/rpc");
        check("https://codex.example.com/mine", "http https://codex.example.com/mine");
    }

    #[test]
    fn methods_are_refused_by_name_or_by_how_they_begin() {
        let server = AppServer::default();
        for (method, pattern) in [
            ("fs/readFile", Some("fs/*")),
            ("command/exec", Some("command/exec*")),
            ("command/exec/write", Some("command/exec*")),
            ("thread/shellCommand", Some("thread/shellCommand")),
            ("getAuthStatus", Some("getAuthStatus")),
            ("getAuthStatusOf", None),
            ("account/read", None),
            ("thread/start", None),
        ] {
            assert_eq!(server.refuses(method), pattern, "{method}");
        }
        assert_eq!(AppServer { refuse_methods: Vec::new(), ..server }.refuses("fs/readFile"), None);
    }

    #[test]
    fn what_cannot_be_reached_is_refused_without_being_quoted() {
        check("unix://relative.sock", "must be unix:// and an absolute path");
        check("ftp://host", "must start with ws://");
        for secret in ["ws://hidden@host", "ws://host?token=hidden", "ws://host/#hidden"] {
            check(secret, "must hold no password, ? or #");
        }
    }
}
