//! A sign-in by device code that the app-server carries out. It keeps the tokens; we never see them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::AppServer;
use super::app_server::raw;
use super::link::{Heard, LinkError};

/// For who it was that signed in.
const PATIENCE: Duration = Duration::from_secs(10);

/// One that was begun. Dropping it ends the listening, not the sign-in.
pub struct DeviceLogin {
    server: Arc<AppServer>,
    started: Started,
    /// With the reason if it failed.
    outcome: Arc<OnceLock<Result<(), String>>>,
    _listening: JoinSet<()>,
}

/// Who is signed in there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub email: Option<String>,
    pub plan: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    login_id: String,
    user_code: String,
    verification_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completed {
    login_id: Option<String>,
    success: bool,
    error: Option<String>,
}

#[derive(Deserialize)]
struct AccountRead {
    account: Option<AccountOfIt>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountOfIt {
    email: Option<String>,
    plan_type: Option<String>,
}

impl DeviceLogin {
    pub async fn start(server: &Arc<AppServer>) -> Result<Self, LinkError> {
        // From before it is asked for, or the end of a quick one would be missed.
        let heard = server.hub().listen();
        let started: Started =
            server.link().call("account/login/start", &json!({ "type": "chatgptDeviceCode" })).await?;
        let outcome = Arc::<OnceLock<Result<(), String>>>::default();
        let listening = listen(heard, started.login_id.clone(), Arc::clone(&outcome));
        Ok(Self { server: Arc::clone(server), started, outcome, _listening: JoinSet::from_iter([listening]) })
    }

    pub fn user_code(&self) -> &str {
        &self.started.user_code
    }

    pub fn page(&self) -> &str {
        &self.started.verification_url
    }

    /// None while the user has not decided.
    pub fn outcome(&self) -> Option<&Result<(), String>> {
        self.outcome.get()
    }

    /// Who it was, if the server says so.
    pub async fn account(&self) -> Account {
        let read = self.server.link().request("account/read", &raw(&json!({})), Some(PATIENCE)).await;
        let read: Option<AccountRead> = read.ok().and_then(|read| serde_json::from_str(read.get()).ok());
        let account = read.and_then(|read| read.account);
        account.map(|account| Account { email: account.email, plan: account.plan_type }).unwrap_or_default()
    }

    /// One that cannot be told forgets by itself.
    pub async fn cancel(&self) {
        let params = raw(&json!({ "loginId": self.started.login_id }));
        let told = timeout(PATIENCE, self.server.link().request("account/login/cancel", &params, Some(PATIENCE))).await;
        if let Ok(Err(error)) = told {
            tracing::info!(%error, "the app-server goes on with a sign-in that was given up");
        }
    }
}

/// Until it has ended. A connection that is lost and back again hears of it too.
async fn listen(mut heard: broadcast::Receiver<Heard>, id: String, outcome: Arc<OnceLock<Result<(), String>>>) {
    loop {
        let ended = match heard.recv().await {
            Ok(Heard::Notification { method, params }) if &*method == "account/login/completed" => {
                serde_json::from_str::<Completed>(params.get()).ok()
            }
            Ok(_) | Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        };
        if let Some(ended) = ended.filter(|ended| ended.login_id.as_ref() == Some(&id)) {
            let reason = || ended.error.unwrap_or_else(|| "it did not say why".to_owned());
            let _ = outcome.set(if ended.success { Ok(()) } else { Err(reason()) });
            return;
        }
    }
}
