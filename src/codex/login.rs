//! The port behind which an app-server signs its user in by device code. It keeps the tokens; we never see them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::AppServer;
use super::link::LinkError;

/// Ends of logins that are remembered.
const REMEMBERED: usize = 32;

#[async_trait]
pub trait AppServerLogin: Send + Sync {
    /// `account/login/start` of `chatgptDeviceCode`.
    async fn start(&self) -> Result<DeviceCode, LinkError>;

    /// What `account/login/completed` said of this login, with the reason if it failed; none while it has said nothing.
    fn outcome(&self, login_id: &str) -> Option<Result<(), String>>;

    /// `account/login/cancel`. One that cannot be told forgets by itself.
    async fn cancel(&self, login_id: &str);
}

/// What the user needs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    pub login_id: String,
    pub user_code: String,
    pub verification_url: String,
}

/// How logins ended, the latest last.
#[derive(Default)]
pub(super) struct Logins {
    ended: Mutex<VecDeque<(String, Result<(), String>)>>,
}

impl Logins {
    /// The parameters of `account/login/completed`.
    pub(super) fn completed(&self, params: &RawValue) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Completed {
            login_id: Option<String>,
            success: bool,
            error: Option<String>,
        }
        let Ok(Completed { login_id: Some(id), success, error }) = serde_json::from_str(params.get()) else { return };
        let why = || error.unwrap_or_else(|| "it did not say why".to_owned());
        let mut ended = self.ended();
        if ended.len() >= REMEMBERED {
            ended.pop_front();
        }
        ended.push_back((id, if success { Ok(()) } else { Err(why()) }));
    }

    fn outcome(&self, id: &str) -> Option<Result<(), String>> {
        self.ended().iter().rev().find(|(ended, _)| ended == id).map(|(_, outcome)| outcome.clone())
    }

    fn ended(&self) -> MutexGuard<'_, VecDeque<(String, Result<(), String>)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    login_id: String,
    user_code: String,
    verification_url: String,
}

#[async_trait]
impl AppServerLogin for AppServer {
    async fn start(&self) -> Result<DeviceCode, LinkError> {
        let params = json!({ "type": "chatgptDeviceCode" });
        let Started { login_id, user_code, verification_url } =
            self.link().call("account/login/start", &params).await?;
        Ok(DeviceCode { login_id, user_code, verification_url })
    }

    fn outcome(&self, login_id: &str) -> Option<Result<(), String>> {
        self.logins().outcome(login_id)
    }

    async fn cancel(&self, login_id: &str) {
        let params = json!({ "loginId": login_id });
        if let Err(error) = self.link().call::<serde_json::Value>("account/login/cancel", &params).await {
            tracing::info!(%error, "a login of the app-server's could not be cancelled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_login_is_remembered_with_its_reason() {
        let logins = Logins::default();
        let completed = |text: &str| logins.completed(&RawValue::from_string(text.to_owned()).expect("JSON"));
        completed(r#"{"loginId":"a","success":true,"error":null,"onboardingEntrypoint":null}"#);
        completed(r#"{"loginId":"b","success":false,"error":"Login was not completed"}"#);
        completed(r#"{"loginId":null,"success":true,"error":null}"#);
        assert_eq!(logins.outcome("a"), Some(Ok(())));
        assert_eq!(logins.outcome("b"), Some(Err("Login was not completed".to_owned())));
        assert_eq!(logins.outcome("c"), None);
        (0..REMEMBERED).for_each(|number| completed(&format!(r#"{{"loginId":"{number}","success":true}}"#)));
        assert_eq!(logins.outcome("a"), None);
    }
}
