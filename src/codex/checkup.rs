//! Which of the usual faults stands in the way of an app-server, and what mends it.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::AppServer;
use super::limits::Window;
use super::link::{LinkError, State, Status};
use crate::model::{ErrorKind, ProviderError};

/// Somebody waits to hear whether it works, or else why there is no connection: longer than an attempt may take.
const PROBE: Duration = Duration::from_secs(15);
/// Somebody waits for an error.
const LIMITS: Duration = Duration::from_secs(3);

/// For an attempt to begin.
const AGAIN: Duration = Duration::from_secs(1);

/// What an app-server says when it is asked how it does.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    /// As it came; none if it was not asked, or did not say.
    pub account: Option<Box<RawValue>>,
    pub limits: Vec<Window>,
    pub problem: Option<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A [`FaultKind`](super::link::FaultKind) as it is called, or `not-signed-in`, `usage-limit-reached`, `no-answer`.
    pub kind: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountRead {
    account: Option<Value>,
    #[serde(default)]
    requires_openai_auth: bool,
}

impl AppServer {
    /// Says of a limit that is reached when it ends, where the app-server knows.
    pub(super) async fn explain(&self, error: ProviderError) -> ProviderError {
        if error.kind != ErrorKind::Quota || error.retry_after.is_some() {
            return error;
        }
        self.read_limits(LIMITS).await;
        let now = SystemTime::now();
        let limits = self.limits();
        let used_up = limits.iter().filter(|window| window.is_used_up());
        error.with_retry_after(used_up.filter_map(|window| window.resets_in(now)).max())
    }

    async fn read_limits(&self, patience: Duration) {
        match self.link().request("account/rateLimits/read", RawValue::NULL, Some(patience)).await {
            Ok(limits) => self.note_limits(&limits),
            Err(error) => tracing::info!(%error, "what is left of the limits cannot be read"),
        }
    }

    /// What is known without asking.
    pub fn known(&self) -> Checkup {
        let limits = self.limits();
        let problem = of_link(&self.status()).or_else(|| used_up(&limits, SystemTime::now()));
        Checkup { account: None, limits, problem }
    }

    /// Asks who is signed in and what is left of the limits; connects if need be, also where the link has given up:
    /// somebody may have mended what stood in its way.
    pub async fn check_up(&self) -> Checkup {
        if self.status().state == State::Refused {
            let mut changes = self.link().changes();
            self.link().reconnect();
            // One that is closed stays closed.
            let _ = timeout(AGAIN, changes.changed()).await;
        }
        let account = match self.link().request("account/read", RawValue::NULL, Some(PROBE)).await {
            Ok(account) => self.clean(account),
            Err(error) => {
                let problem = Some(of_error(&self.status(), &error));
                return Checkup { account: None, limits: self.limits(), problem };
            }
        };
        if is_subscription(&account) {
            self.read_limits(PROBE).await;
        }
        let limits = self.limits();
        let problem = not_signed_in(&account).or_else(|| used_up(&limits, SystemTime::now()));
        Checkup { account: Some(account), limits, problem }
    }
}

fn of_link(status: &Status) -> Option<Problem> {
    let fault = status.fault.as_ref().filter(|_| status.state != State::Ready)?;
    Some(Problem { kind: fault.kind.as_str(), message: fault.message.clone(), hint: fault.hint.clone() })
}

fn of_error(status: &Status, error: &LinkError) -> Problem {
    of_link(status).unwrap_or_else(|| match error {
        LinkError::Down(fault) | LinkError::Lost(fault) => {
            Problem { kind: fault.kind.as_str(), message: fault.message.clone(), hint: fault.hint.clone() }
        }
        _ => Problem {
            kind: "no-answer",
            message: format!("the Codex app-server cannot say who is signed in: {error}"),
            hint: Some("see what it logs, or run `codex login status` where it runs".to_owned()),
        },
    })
}

fn not_signed_in(account: &RawValue) -> Option<Problem> {
    let read: AccountRead = serde_json::from_str(account.get()).ok()?;
    (read.account.is_none() && read.requires_openai_auth).then(|| Problem {
        kind: "not-signed-in",
        message: "nobody is signed in to the Codex app-server".to_owned(),
        hint: Some("run `codex login` where it runs, or `open-think login codex` here".to_owned()),
    })
}

/// Only a subscription has limits that can be read.
fn is_subscription(account: &RawValue) -> bool {
    let read: Option<AccountRead> = serde_json::from_str(account.get()).ok();
    read.and_then(|read| read.account).is_some_and(|account| account["type"] == "chatgpt")
}

fn used_up(limits: &[Window], now: SystemTime) -> Option<Problem> {
    let window = limits.iter().filter(|window| window.is_used_up()).max_by_key(|window| window.resets_at)?;
    // What was last heard may be long ago.
    let left = window.resets_in(now);
    if left.is_some_and(|left| left.is_zero()) {
        return None;
    }
    let hint = match (window.resets_at_iso(), left) {
        (Some(at), Some(left)) => format!("it resets at {at}, in {}; until then, name another provider", told(left)),
        _ => "name another provider, or ask again later".to_owned(),
    };
    let message = format!("the usage limit of the ChatGPT subscription is reached ({} window)", window.name);
    Some(Problem { kind: "usage-limit-reached", message, hint: Some(hint) })
}

fn told(left: Duration) -> String {
    let minutes = left.as_secs().div_ceil(60);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;

    use super::AppServer;
    use crate::codex::link::served;
    use crate::config;
    use crate::policy::Redactor;

    #[tokio::test(start_paused = true)]
    async fn a_link_that_has_given_up_is_tried_again_by_whoever_asks() {
        let (connects, mut connections) = mpsc::channel(4);
        let server = AppServer::over(
            |listener| served(connects, listener),
            config::AppServer::default(),
            Duration::from_secs(30),
            Redactor::default(),
        );
        for _ in 0..2 {
            let refused = async {
                let mut stream = connections.recv().await.expect("an attempt");
                assert!(stream.read(&mut [0; 1024]).await.expect("an upgrade") > 0);
                let answer = b"HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("an answer");
            };
            let (checkup, ()) = tokio::join!(server.check_up(), refused);
            assert_eq!(checkup.problem.expect("a problem").kind, "wrong-token");
            assert!(server.rpc("model/list", None, None).await.is_err());
            assert!(connections.try_recv().is_err(), "nobody else tries");
        }
    }
}
