//! The port behind which an app-server signs its user in by device code. It keeps the tokens; we never see them.

use async_trait::async_trait;

use super::link::LinkError;

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
