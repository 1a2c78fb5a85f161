//! `oauth.codex.*`.

use std::time::Duration;

use super::error::ApiError;
use super::table::Context;
use crate::plugins::codex::{Begun, ID, Now, PLACES, Progress, Refused, Started};
use crate::protocol::{
    Code, CodexLogin, DeviceCancelResult, DevicePollParams, DevicePollResult, DeviceStartResult, DeviceStatus, Empty,
    LogoutResult,
};

const MISSING: [&str; 2] = ["CODEX_OAUTH_CLIENT_ID", "CODEX_APP_SERVER_URL"];
const NO_WAY: &str = "there is no OAuth client to sign in as, and no Codex app-server to sign in";
const SETUP: &str = "Set CODEX_OAUTH_CLIENT_ID to a registered OAuth client, or CODEX_APP_SERVER_URL to where a Codex \
                     app-server listens; or run `codex login` and set CODEX_HOME.";

pub async fn device_start(context: Context, _: Empty) -> Result<DeviceStartResult, ApiError> {
    match context.app.setup().codex.sign_in.start().await {
        Ok(Started::Begun(begun)) => Ok(begun_result(begun)),
        Ok(Started::NotConfigured) => Ok(DeviceStartResult {
            status: DeviceStatus::PendingConfiguration,
            device_code: None,
            user_code: None,
            verification_uri: None,
            verification_uri_complete: None,
            expires_in: None,
            interval: None,
            missing: MISSING.map(str::to_owned).to_vec(),
            message: Some(NO_WAY.to_owned()),
            hint: Some(SETUP.to_owned()),
        }),
        Err(Refused::Full) => {
            let error = ApiError::new(Code::Overloaded, format!("{PLACES} sign-ins are under way already"));
            Err(error
                .with_hint("Finish one of them, cancel it with oauth.codex.deviceCancel, or wait until it expires."))
        }
        Err(Refused::Failed(error)) => Err(ApiError::provider(ID, &error)),
    }
}

pub async fn device_poll(context: Context, params: DevicePollParams) -> Result<DevicePollResult, ApiError> {
    Ok(poll_result(context.app.setup().codex.sign_in.poll(&params.device_code).await))
}

pub async fn device_cancel(context: Context, params: DevicePollParams) -> Result<DeviceCancelResult, ApiError> {
    Ok(DeviceCancelResult { cancelled: context.app.setup().codex.sign_in.cancel(&params.device_code).await })
}

pub async fn logout(context: Context, _: Empty) -> Result<LogoutResult, ApiError> {
    let ended = context.app.setup().codex.sign_in.sign_out().await.map_err(|error| ApiError::provider(ID, &error))?;
    let signed_out = ended.is_some();
    let (tokens, not_revoked) = ended.map(|ended| (ended.tokens, ended.not_revoked)).unwrap_or_default();
    let (account, email) = tokens.map(|tokens| (tokens.account, tokens.email)).unwrap_or_default();
    Ok(LogoutResult { signed_out, account, email, not_revoked: not_revoked.map(|error| error.to_string()) })
}

fn begun_result(begun: Begun) -> DeviceStartResult {
    DeviceStartResult {
        status: DeviceStatus::Pending,
        device_code: Some(begun.device_code),
        user_code: Some(begun.user_code),
        verification_uri: Some(begun.page),
        verification_uri_complete: begun.whole_page,
        expires_in: Some(begun.lifetime.as_secs()),
        interval: Some(whole_seconds(begun.interval)),
        missing: Vec::new(),
        message: None,
        hint: None,
    }
}

fn poll_result(progress: Progress) -> DevicePollResult {
    let plain = |status| DevicePollResult {
        status,
        interval: None,
        expires_in: None,
        login: None,
        missing: Vec::new(),
        message: None,
        hint: None,
    };
    let told = |status, message: &str, hint: &str| {
        let (message, hint) = (Some(message.to_owned()), Some(hint.to_owned()).filter(|hint| !hint.is_empty()));
        DevicePollResult { message, hint, ..plain(status) }
    };
    match progress {
        Progress::Waiting { too_soon, wait, left, trouble } => DevicePollResult {
            interval: Some(whole_seconds(wait)),
            expires_in: Some(left.as_secs()),
            message: trouble.map(|error| format!("it will be asked again: {error}")),
            ..plain(if too_soon { DeviceStatus::SlowDown } else { DeviceStatus::Pending })
        },
        Progress::SignedIn(now) => {
            let hint = now.unused.map(str::to_owned);
            DevicePollResult { login: Some(login(now)), hint, ..plain(DeviceStatus::Complete) }
        }
        Progress::Denied => told(DeviceStatus::Denied, "the sign-in was refused in the browser", ""),
        Progress::Expired => {
            let message = "the code has expired, or was never given out";
            told(DeviceStatus::Expired, message, "Begin again with oauth.codex.deviceStart.")
        }
        Progress::Failed(error) => {
            told(DeviceStatus::Failed, &error.message, error.hint.as_deref().unwrap_or_default())
        }
        Progress::NotConfigured => DevicePollResult {
            missing: MISSING.map(str::to_owned).to_vec(),
            ..told(DeviceStatus::PendingConfiguration, NO_WAY, SETUP)
        },
    }
}

fn login(now: Now) -> CodexLogin {
    CodexLogin {
        owner: now.owner.to_owned(),
        account: now.account,
        email: now.email,
        plan: now.plan,
        expires_at: now.expires_at,
        kept_in: now.kept_in.map(|path| path.display().to_string()),
    }
}

/// Upwards: whoever waits that long comes in time.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
