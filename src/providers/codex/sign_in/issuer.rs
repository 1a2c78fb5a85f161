//! The issuer: how it is asked for a code, for tokens, for newer ones, and for their end.
//!
//! OpenAI's has a device flow of its own; any other is asked where it keeps the one of RFC 8628.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::wire::{self, Code, Grant, Granted, Permit, Polled, Word};
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::providers::endpoint::below;
use crate::providers::http::{Http, HttpRequest, Response};
use crate::providers::upstream::{Source, Upstream};

const UPSTREAM: Upstream =
    Upstream { name: "the sign-in", key_setting: "CODEX_OAUTH_CLIENT_ID", url_setting: "CODEX_OAUTH_ISSUER" };
/// For one question. Somebody waits for the answer, or a turn does.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 256 * 1024;
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What is asked for where the dialect has a word for it: who it is, and a token to refresh with.
const SCOPE: &str = "openid profile email offline_access";

pub struct Issuer {
    http: Http,
    url: Url,
    source: Source,
}

/// Where tokens are exchanged, which is kept with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Endpoints {
    pub(super) token: Url,
    pub(super) revoke: Option<Url>,
    pub(super) dialect: Dialect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Dialect {
    OpenAi,
    Rfc8628,
}

/// A sign-in that waits for its user.
#[derive(Clone, Debug)]
pub struct Pending {
    client_id: String,
    code: Code,
    page: Url,
    endpoints: Endpoints,
    /// What was granted and is not exchanged yet.
    permit: Option<Permit>,
}

/// Why there are no newer tokens.
#[derive(Debug)]
pub(super) enum NotRefreshed {
    /// The refresh token holds no more, so nothing but a new sign-in helps.
    Ended(ProviderError),
    Failed(ProviderError),
}

#[derive(Deserialize)]
struct Metadata {
    device_authorization_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
}

impl Pending {
    pub fn user_code(&self) -> &str {
        &self.code.user
    }

    /// Where the user types it in.
    pub fn page(&self) -> &Url {
        &self.page
    }

    /// Where nothing has to be typed in.
    pub fn whole_page(&self) -> Option<&Url> {
        self.code.whole_page.as_ref()
    }

    pub fn interval(&self) -> Duration {
        self.code.interval
    }

    pub fn lifetime(&self) -> Duration {
        self.code.lifetime
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }
}

impl Issuer {
    pub fn new(http: &Http, url: Url) -> Self {
        let source = Source { upstream: UPSTREAM, redactor: http.redactor().clone() };
        Self { http: http.clone(), url, source }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Asks for a code.
    pub async fn begin(&self, client_id: &str) -> Result<Pending, ProviderError> {
        let url = below(&self.url, ["api", "accounts", "deviceauth", "usercode"]);
        let request = post_json(url, &json!({ "client_id": client_id }));
        let (code, endpoints) = match self.source.ask(&self.http, &request).await {
            Ok(answer) => (self.code(answer)?, self.own_endpoints()),
            Err(error) if matches!(error.status, Some(404 | 405)) => self.begin_rfc8628(client_id).await?,
            Err(error) => return Err(error),
        };
        self.source.redactor.learn(&code.device);
        let page = match (&code.page, endpoints.dialect) {
            (Some(page), _) => page.clone(),
            (None, Dialect::OpenAi) => below(&self.url, ["codex", "device"]),
            (None, Dialect::Rfc8628) => return Err(self.source.misunderstood("a code and no page for it")),
        };
        Ok(Pending { client_id: client_id.to_owned(), code, page, endpoints, permit: None })
    }

    async fn begin_rfc8628(&self, client_id: &str) -> Result<(Code, Endpoints), ProviderError> {
        let (device, endpoints) = self.discover().await?;
        let request = post_form(device, &[("client_id", client_id), ("scope", SCOPE)]);
        let answer = self.source.ask(&self.http, &request).await?;
        Ok((self.code(answer)?, endpoints))
    }

    fn code(&self, answer: Value) -> Result<Code, ProviderError> {
        wire::code(answer).ok_or_else(|| self.source.misunderstood("no code that can be used"))
    }

    fn own_endpoints(&self) -> Endpoints {
        let at = |segment: &str| below(&self.url, ["oauth", segment]);
        Endpoints { token: at("token"), revoke: Some(at("revoke")), dialect: Dialect::OpenAi }
    }

    /// Where the issuer says that its device flow is, and where tokens are exchanged.
    async fn discover(&self) -> Result<(Url, Endpoints), ProviderError> {
        for name in ["openid-configuration", "oauth-authorization-server"] {
            let request = HttpRequest::get(below(&self.url, [".well-known", name])).deadline(deadline());
            let metadata = match self.source.ask(&self.http, &request).await {
                Ok(answer) => serde_json::from_value::<Metadata>(answer).ok(),
                Err(error) if error.status.is_some_and(|status| status < 500) => None,
                Err(error) => return Err(error),
            };
            let Some(metadata) = metadata else { continue };
            // One that is spoken to in secret keeps its secrets.
            let is_fit = |url: &Url| url.scheme() == "https" || url.scheme() == self.url.scheme();
            let (device, token) = (metadata.device_authorization_endpoint, metadata.token_endpoint);
            if let (Some(device), Some(token)) = (device.filter(is_fit), token.filter(is_fit)) {
                let revoke = metadata.revocation_endpoint.filter(is_fit);
                return Ok((device, Endpoints { token, revoke, dialect: Dialect::Rfc8628 }));
            }
        }
        let message = format!("{} offers no sign-in by device code", self.url);
        Err(ProviderError::new(ErrorKind::Config, message).with_hint("is CODEX_OAUTH_ISSUER right?"))
    }

    /// Asks once whether the user has decided.
    pub async fn poll(&self, pending: &mut Pending) -> Polled {
        if pending.permit.is_none() {
            match self.ask_for_tokens(pending).await {
                Ok(Granted::Tokens(grant)) => return Polled::Tokens(self.learnt(grant)),
                Ok(Granted::Permit(permit)) => {
                    let secrets = [&permit.code, &permit.verifier].into_iter();
                    secrets.for_each(|secret| self.source.redactor.learn(secret.expose()));
                    pending.permit = Some(permit);
                }
                Err(polled) => return polled,
            }
        }
        let Some(permit) = &pending.permit else { return Polled::Pending };
        match self.exchange(pending, permit).await {
            Ok(Granted::Tokens(grant)) => Polled::Tokens(self.learnt(grant)),
            Ok(Granted::Permit(_)) => Polled::Refused(self.source.misunderstood("a code for a code")),
            Err(polled) => polled,
        }
    }

    async fn ask_for_tokens(&self, pending: &Pending) -> Result<Granted, Polled> {
        let Pending { client_id, code, endpoints, .. } = pending;
        let request = match endpoints.dialect {
            Dialect::OpenAi => {
                let url = below(&self.url, ["api", "accounts", "deviceauth", "token"]);
                post_json(url, &json!({ "device_auth_id": code.device, "user_code": code.user }))
            }
            Dialect::Rfc8628 => {
                let fields = [("grant_type", DEVICE_GRANT), ("device_code", &code.device), ("client_id", client_id)];
                post_form(endpoints.token.clone(), &fields)
            }
        };
        // OpenAI's issuer knows no code that its user has not typed in.
        let unknown_is_pending = endpoints.dialect == Dialect::OpenAi;
        self.granted(&request, |status| unknown_is_pending && matches!(status, 403 | 404)).await
    }

    async fn exchange(&self, pending: &Pending, permit: &Permit) -> Result<Granted, Polled> {
        let redirect = below(&self.url, ["deviceauth", "callback"]);
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &pending.client_id),
            ("code", permit.code.expose()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", permit.verifier.expose()),
        ];
        self.granted(&post_form(pending.endpoints.token.clone(), &fields), |_| false).await
    }

    async fn granted(&self, request: &HttpRequest, is_pending: impl Fn(u16) -> bool) -> Result<Granted, Polled> {
        let failed = |error: ProviderError| match error.retryable {
            true => Polled::Unreachable(error),
            false => Polled::Refused(error),
        };
        let response = self.http.send(request.clone()).await.map_err(failed)?;
        if response.is_success() {
            let body = response.bytes(MAX_BODY).await.map_err(failed)?;
            let answer = wire::granted(&body);
            return answer.ok_or_else(|| Polled::Refused(self.misunderstood()));
        }
        let status = response.status;
        let (word, error) = self.refusal(response).await;
        Err(match word {
            Word::Pending => Polled::Pending,
            Word::No if is_pending(status) => Polled::Pending,
            Word::SlowDown => Polled::SlowDown,
            Word::Denied => Polled::Denied,
            Word::Expired => Polled::Expired,
            Word::Busy => Polled::Unreachable(error),
            Word::Ended | Word::No => Polled::Refused(error),
        })
    }

    /// Exchanges a refresh token, which then holds no more if the answer has another.
    pub(super) async fn refresh(
        &self,
        endpoints: &Endpoints,
        client_id: &str,
        token: &Secret,
    ) -> Result<Grant, NotRefreshed> {
        let fields = [("client_id", client_id), ("grant_type", "refresh_token"), ("refresh_token", token.expose())];
        let request = post(endpoints.dialect, endpoints.token.clone(), &fields);
        let response = self.http.send(request).await.map_err(NotRefreshed::Failed)?;
        if !response.is_success() {
            let (word, error) = self.refusal(response).await;
            return Err(if word == Word::Ended { NotRefreshed::Ended(error) } else { NotRefreshed::Failed(error) });
        }
        let body = response.bytes(MAX_BODY).await.map_err(NotRefreshed::Failed)?;
        match wire::granted(&body) {
            Some(Granted::Tokens(grant)) => Ok(self.learnt(grant)),
            _ => Err(NotRefreshed::Failed(self.misunderstood())),
        }
    }

    /// Asks that a refresh token hold no more.
    pub(super) async fn revoke(
        &self,
        endpoints: &Endpoints,
        client_id: &str,
        token: &Secret,
    ) -> Result<(), ProviderError> {
        let Some(url) = endpoints.revoke.clone() else {
            return Err(ProviderError::new(ErrorKind::Config, "the sign-in has no way to revoke it"));
        };
        let fields = [("token", token.expose()), ("token_type_hint", "refresh_token"), ("client_id", client_id)];
        let response = self.http.send(post(endpoints.dialect, url, &fields)).await?;
        if response.is_success() { Ok(()) } else { Err(self.refusal(response).await.1) }
    }

    async fn refusal(&self, response: Response) -> (Word, ProviderError) {
        let (status, headers) = (response.status, response.headers.clone());
        let body = response.prefix(MAX_BODY).await;
        let error = UPSTREAM.error(status, &headers, &body, &self.source.redactor, SystemTime::now());
        (wire::word(status, &body), error)
    }

    /// Nothing of the answer is quoted: there may be a token in it that nobody knows yet.
    fn misunderstood(&self) -> ProviderError {
        self.source.misunderstood("neither tokens nor a reason")
    }

    fn learnt(&self, grant: Grant) -> Grant {
        let secrets = [Some(&grant.access), grant.id.as_ref(), grant.refresh.as_ref()];
        secrets.into_iter().flatten().for_each(|secret| self.source.redactor.learn(secret.expose()));
        grant
    }
}

fn post(dialect: Dialect, url: Url, fields: &[(&str, &str)]) -> HttpRequest {
    match dialect {
        Dialect::OpenAi => post_json(url, &fields.iter().map(|(name, value)| (*name, *value)).collect()),
        Dialect::Rfc8628 => post_form(url, fields),
    }
}

fn post_json(url: Url, body: &Value) -> HttpRequest {
    HttpRequest::post_json(url, body.to_string()).deadline(deadline()).confined()
}

fn post_form(url: Url, fields: &[(&str, &str)]) -> HttpRequest {
    HttpRequest::post_form(url, fields.iter().copied()).deadline(deadline()).confined()
}

fn deadline() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}
