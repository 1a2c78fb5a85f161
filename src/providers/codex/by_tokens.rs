//! By the tokens of a ChatGPT subscription, at its backend, in the manner of the Codex CLI.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::tokens::{TokenSource, Tokens};
use crate::model::{DeltaStream, ErrorKind, ModelInfo, ProviderError, Request};
use crate::providers::http::Http;
use crate::providers::responses::{CHATGPT, CLIENT_VERSION, Caller, Responses};
use crate::providers::upstream::Upstream;

/// Under another name the edge takes a client for a robot.
const ORIGINATOR: &str = "codex_cli_rs";

pub struct ByTokens {
    responses: Responses,
    tokens: TokenSource,
}

impl ByTokens {
    pub fn new(http: &Http, upstream: Upstream, backend_url: Url, tokens: TokenSource) -> Self {
        Self { responses: Responses::new(http.clone(), &CHATGPT, upstream, backend_url), tokens }
    }

    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    pub(super) fn base_url(&self) -> &Url {
        self.responses.base_url()
    }

    pub(super) fn rate_limits(&self) -> Option<Value> {
        self.responses.rate_limits()
    }

    pub(super) async fn stream(
        &self,
        request: &Request,
        model: &str,
        deadline: Option<Instant>,
    ) -> Result<DeltaStream, ProviderError> {
        let ask = async |tokens: &Tokens| {
            let headers = headers(tokens);
            self.responses.stream(request, model, Caller { token: &tokens.access, headers: &headers }, deadline).await
        };
        let tokens = self.tokens.valid().await?;
        let result = match ask(&tokens).await {
            Err(error) => match self.newer(&tokens, &error).await? {
                Some(newer) => ask(&newer).await,
                None => Err(error),
            },
            result => result,
        };
        result.map_err(|error| self.hinted(error))
    }

    pub(super) async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let ask = async |tokens: &Tokens| {
            let headers = headers(tokens);
            self.responses.models(Caller { token: &tokens.access, headers: &headers }).await
        };
        let tokens = self.tokens.valid().await?;
        let result = match ask(&tokens).await {
            Err(error) => match self.newer(&tokens, &error).await? {
                Some(newer) => ask(&newer).await,
                None => Err(error),
            },
            result => result,
        };
        result.map_err(|error| self.hinted(error))
    }

    /// A first 401 may mean no more than that there are newer tokens.
    async fn newer(&self, refused: &Tokens, error: &ProviderError) -> Result<Option<Tokens>, ProviderError> {
        match error.status {
            Some(401) => self.tokens.after_refusal(refused).await,
            _ => Ok(None),
        }
    }

    fn hinted(&self, error: ProviderError) -> ProviderError {
        match (error.kind, error.status) {
            (ErrorKind::Auth, Some(403)) => {
                error.with_hint("the plan or the workspace may not include Codex: see the account at chatgpt.com")
            }
            (ErrorKind::Auth, _) => error.with_hint(self.tokens.sign_in_hint()),
            (ErrorKind::Quota, _) => error
                .with_hint("`codex-status` shows how much of the subscription is used; wait, or name another provider"),
            _ => error,
        }
    }
}

/// What the Codex CLI sends beside the token.
fn headers(tokens: &Tokens) -> HeaderMap {
    let own = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let agent = format!("{ORIGINATOR}/{CLIENT_VERSION} ({os}; {arch}) unknown ({}; {})", own.0, own.1);
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("originator"), HeaderValue::from_static(ORIGINATOR));
    headers.insert(HeaderName::from_static("version"), HeaderValue::from_static(CLIENT_VERSION));
    headers.insert(USER_AGENT, HeaderValue::try_from(agent).expect("plain ASCII"));
    if let Some(account) = tokens.account.as_ref().and_then(|account| HeaderValue::try_from(account).ok()) {
        headers.insert(HeaderName::from_static("chatgpt-account-id"), account);
    }
    headers
}
