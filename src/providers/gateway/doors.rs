//! The doors of the gateway: where each is, which wire format is spoken there, and which of them a call tries.

use url::Url;

use super::GatewaySettings;
use super::model_id::ModelId;
use crate::model::{ErrorKind, ProviderError};
use crate::providers::endpoint::below;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Of the account's REST API: chat completions.
    Completions,
    /// Of the same: Anthropic's Messages, whose blocks and signatures chat completions would lose.
    Messages,
    /// Of the same: every kind of model, with Cloudflare's own envelope around what is sent and what comes back.
    Universal,
    /// The gateway's chat completions for every vendor.
    Compat,
    /// The vendor's own API behind the gateway.
    Native,
}

/// The way that a call took, as its result tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Run,
    Compat,
    Native,
}

/// What decides on the doors beside the model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) has_api_token: bool,
    pub(super) force_compat: bool,
    /// The run path has no place for a vendor's key, nor for the name of a stored one.
    pub(super) names_key: bool,
}

impl Door {
    pub(super) fn path(self) -> Path {
        match self {
            Self::Completions | Self::Messages | Self::Universal => Path::Run,
            Self::Compat => Path::Compat,
            Self::Native => Path::Native,
        }
    }

    pub(super) fn url(self, settings: &GatewaySettings, model: &ModelId) -> Url {
        let own = model.vendor().and_then(|vendor| Some((vendor.slug?, vendor.native?)));
        match (self, own) {
            (Self::Completions, _) => account_url(settings, "ai/v1/chat/completions"),
            (Self::Messages, _) => account_url(settings, "ai/v1/messages"),
            (Self::Universal, _) => account_url(settings, "ai/run"),
            (Self::Native, Some((slug, path))) => gateway_url(settings, &format!("{slug}/{path}")),
            (Self::Compat | Self::Native, _) => gateway_url(settings, "compat/chat/completions"),
        }
    }
}

impl Path {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Compat => "compat",
            Self::Native => "native",
        }
    }
}

/// The doors to try, in their order: never none, never more than one a path.
pub(super) fn plan(model: &ModelId, facts: Facts) -> Result<Vec<Door>, ProviderError> {
    let on_run = model.vendor().and_then(|vendor| vendor.run);
    let may_run = facts.has_api_token && !facts.force_compat && !facts.names_key;
    let open = |door: &Door| model.at(*door).is_some();
    let behind = [Door::Compat, Door::Native].into_iter().find(open);
    let doors: Vec<Door> = on_run.filter(|_| may_run).into_iter().chain(behind).collect();
    if !doors.is_empty() {
        return Ok(doors);
    }
    let only = "is to be had on the run path only";
    if facts.has_api_token {
        let message = format!("'{model}' {only}, which knows neither forceCompat nor keys of vendors");
        return Err(ProviderError::new(ErrorKind::InvalidRequest, message)
            .with_hint("leave forceCompat, providerApiKey and providerKeyRef out"));
    }
    Err(ProviderError::new(ErrorKind::Config, format!("'{model}' {only}, which needs CLOUDFLARE_API_TOKEN"))
        .with_hint("set CLOUDFLARE_API_TOKEN to a token with the permission Workers AI Read"))
}

/// Under the account in Cloudflare's API.
pub(super) fn account_url(settings: &GatewaySettings, path: &str) -> Url {
    below(&settings.api_base_url, ["accounts", settings.account.as_str()].into_iter().chain(path.split('/')))
}

/// Under the gateway itself.
pub(super) fn gateway_url(settings: &GatewaySettings, path: &str) -> Url {
    let (account, gateway) = (settings.account.as_str(), settings.gateway.as_str());
    below(&settings.base_url, ["v1", account, gateway].into_iter().chain(path.split('/')))
}
