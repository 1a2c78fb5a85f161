//! The errors of the API: made where the facts are, told to the client without what only the log may know.

use jsonrpsee::types::ErrorObjectOwned;

use super::convert;
use super::params::{nearest, shown};
use crate::codex::RpcFault;
use crate::codex::link::LinkError;
use crate::helm::{HelmError, new_id};
use crate::model::{ErrorKind, ProviderError};
use crate::protocol::{Attempt, Code, CodexRpcError, ErrorData, TurnError};
use crate::rpc::{OVERLOADED, Reason};
use crate::sessions::StoreError;
use crate::skills::SkillError;

#[derive(Debug)]
pub struct ApiError(Box<ErrorData>);

impl ApiError {
    /// A message that repeats something without end is cut.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        const LONGEST: usize = 2000;
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(end);
            message.push('…');
        }
        Self(Box::new(ErrorData {
            code,
            message,
            provider: None,
            status: None,
            retryable: matches!(code, Code::Overloaded | Code::SessionBusy | Code::ShuttingDown),
            retry_after_ms: None,
            hint: None,
            request_id: new_id("req"),
            attempts: None,
            available_skills: None,
            rpc_error: None,
            did_you_mean: None,
        }))
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into()).filter(|hint: &String| !hint.is_empty());
        self
    }

    pub fn did_you_mean(mut self, names: Vec<String>) -> Self {
        self.0.did_you_mean = (!names.is_empty()).then_some(names);
        self
    }

    pub fn with_skills(mut self, skills: Vec<String>) -> Self {
        self.0.available_skills = Some(skills);
        self
    }

    pub fn with_status(mut self, status: Option<u16>, retryable: bool) -> Self {
        self.0.status = status;
        self.0.retryable = retryable;
        self
    }

    #[cfg(test)]
    pub fn data(&self) -> &ErrorData {
        &self.0
    }

    /// The message that people read, with the name that may have been meant.
    pub fn message(&self) -> String {
        match &self.0.did_you_mean {
            Some(names) => format!("{}; did you mean {}?", self.0.message, names.join(" or ")),
            None => self.0.message.clone(),
        }
    }

    pub fn into_object(self, method: &str) -> ErrorObjectOwned {
        let data = &self.0;
        tracing::info!(request = %data.request_id, method, code = ?data.code, message = %data.message, "a request failed");
        ErrorObjectOwned::owned(data.code.number(), self.message(), Some(data))
    }

    /// The error as an event tells it.
    pub fn into_event(self) -> TurnError {
        TurnError { code: self.0.code.number(), message: self.message(), data: *self.0 }
    }

    fn of_provider(code: Code, provider: &str, error: &ProviderError, attempts: Vec<Attempt>) -> Self {
        let code = match (code, error.kind) {
            (Code::FallbacksExhausted, _) => code,
            (_, ErrorKind::Auth) => Code::Auth,
            (_, ErrorKind::HostNotAllowed) => Code::HostNotAllowed,
            (_, ErrorKind::Config) => Code::NoProvider,
            (_, ErrorKind::SpendCap) => Code::SpendCap,
            _ => code,
        };
        let mut api = Self::new(code, error.to_string());
        api.0.provider = Some(provider.to_owned());
        api.0.status = error.status;
        api.0.retryable = error.retryable;
        api.0.retry_after_ms = error.retry_after.map(convert::millis);
        api.0.hint.clone_from(&error.hint);
        api.0.attempts = Some(attempts).filter(|attempts| !attempts.is_empty());
        api
    }

    /// A skill of this plugin that failed; those that ask several models say which.
    pub fn skill(plugin: &str, error: SkillError) -> Self {
        let attempts = convert::skill_attempts(&error.attempts);
        let capped = error.kind == Some(ErrorKind::SpendCap);
        let code = match attempts.is_empty() {
            _ if capped => Code::SpendCap,
            true => Code::SkillFailed,
            false => Code::FallbacksExhausted,
        };
        let mut api = Self::new(code, error.message).with_status(error.status, error.retryable);
        api.0.provider = capped.then(|| plugin.to_owned());
        api.0.attempts = Some(attempts).filter(|attempts| !attempts.is_empty());
        api.with_hint(error.hint.unwrap_or_default())
    }

    /// A call of the app-server.
    pub fn codex(fault: RpcFault) -> Self {
        let message = fault.to_string();
        let error = match fault {
            RpcFault::Refused { .. } => {
                let hint = "Take it out of refuse_methods under [codex] if clients may call it.";
                return Self::new(Code::BadRequest, message).with_hint(hint);
            }
            RpcFault::Link(error) => error,
        };
        let link = |retryable| Self::new(Code::CodexLink, message.clone()).with_status(None, retryable);
        match error {
            LinkError::Rpc(error) => {
                // All of it is beside this.
                let said = shown(error.message());
                let message = format!("the Codex app-server answered with error {}: {said}", error.code());
                let mut api = Self::new(Code::CodexRpc, message);
                api.0.retryable = error.code() == OVERLOADED;
                let data = error.data().map(ToOwned::to_owned);
                let (code, message) = (i64::from(error.code()), error.message().to_owned());
                api.0.rpc_error = Some(CodexRpcError { code, message, data });
                api
            }
            LinkError::Down(fault) => link(!fault.kind.is_final()).with_hint(fault.hint.clone().unwrap_or_default()),
            LinkError::Lost(_) => link(false).with_hint("It may have been done: look before it is asked again."),
            LinkError::TimedOut { .. } => {
                link(true).with_hint("Give it longer with timeoutMs or CODEX_APP_SERVER_TIMEOUT_MS; it may go on.")
            }
            LinkError::Overloaded { .. } => Self::new(Code::Overloaded, message).with_hint("Wait for answers first."),
        }
    }

    /// A provider that failed outside a turn.
    pub fn provider(provider: &str, error: &ProviderError) -> Self {
        Self::of_provider(Code::ProviderFailed, provider, error, Vec::new())
    }
}

impl From<&HelmError> for ApiError {
    fn from(error: &HelmError) -> Self {
        let message = error.to_string();
        match error {
            HelmError::NoProvider { hint, .. } => Self::new(Code::NoProvider, message).with_hint(hint),
            HelmError::Provider { provider, error, attempts } => {
                Self::of_provider(Code::ProviderFailed, provider, error, convert::attempts(attempts))
            }
            HelmError::FallbacksExhausted { provider, error, attempts } => {
                let attempts = convert::attempts(attempts);
                let mut api = Self::of_provider(Code::FallbacksExhausted, provider, error, attempts);
                api.0.message = message;
                api
            }
            HelmError::Waits { provider, error } => {
                Self::of_provider(Code::ProviderFailed, provider, error, Vec::new())
            }
            HelmError::Overloaded { .. } => Self::new(Code::Overloaded, message),
            HelmError::Busy { .. } => {
                Self::new(Code::SessionBusy, message).with_hint("Wait, interrupt it, or let the message queue.")
            }
            HelmError::BadRequest { .. } => Self::new(Code::BadRequest, message),
            HelmError::EmptyInput { .. } => {
                let hint = "Leave 'input' out to run it as it was shown, or deny it.";
                Self::new(Code::BadRequest, message).with_hint(hint)
            }
            HelmError::Unheard { .. } => {
                let hint = "Read the session's messages, and say it again if it is not among them.";
                Self::new(Code::ProviderFailed, message).with_hint(hint)
            }
            HelmError::Store(error) => Self::from(error.clone()),
            HelmError::Lost => Self::new(Code::Internal, "the turn ended without an outcome; the log has the reason"),
        }
    }
}

impl From<HelmError> for ApiError {
    fn from(error: HelmError) -> Self {
        Self::from(&error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(Code::Store, error.to_string())
    }
}

/// A fault of the connection itself.
pub fn of_reason<'a>(reason: Reason, methods: impl Iterator<Item = &'a str>) -> ApiError {
    let mebibytes = |bytes: usize| bytes / (1024 * 1024);
    match reason {
        Reason::NotJson(why) => ApiError::new(Code::Parse, format!("this is not JSON: {why}")),
        Reason::BrokenHeader(why) => {
            ApiError::new(Code::Parse, format!("a header block is broken: {why}; the connection ends"))
                .with_hint("Send 'Content-Length: N', an empty line and N bytes, each line ended by CR and LF.")
        }
        Reason::NotUtf8 => ApiError::new(Code::Parse, "this is not UTF-8"),
        Reason::TooLong { limit } => {
            let message = format!("the message is longer than {limit} bytes ({} MiB)", mebibytes(limit));
            ApiError::new(Code::InvalidRequest, message).with_hint("Raise limits.frame_bytes, or send less.")
        }
        Reason::TooDeep { limit } => {
            ApiError::new(Code::InvalidRequest, format!("the message is nested deeper than {limit} levels"))
        }
        Reason::InvalidRequest(why) => ApiError::new(Code::InvalidRequest, why),
        Reason::BadParams(why) => ApiError::new(Code::BadRequest, why),
        Reason::UnknownMethod(name) => ApiError::new(Code::NotFound, format!("there is no method '{}'", shown(&name)))
            .with_hint("rpc.discover lists the methods.")
            .did_you_mean(nearest(&name, methods)),
        Reason::Overloaded { limit } => {
            ApiError::new(Code::Overloaded, format!("{limit} requests of this connection are at work already"))
                .with_hint("Wait for answers before sending more.")
        }
        Reason::Cancelled => ApiError::new(Code::Cancelled, "the request was cancelled"),
        Reason::ShuttingDown => ApiError::new(Code::ShuttingDown, "the daemon stops before this request is done"),
        Reason::Panicked { method } => {
            let error = ApiError::new(Code::Internal, "something went wrong inside the daemon; the log has the reason");
            tracing::error!(request = %error.0.request_id, method, "a handler panicked");
            error
        }
    }
}
