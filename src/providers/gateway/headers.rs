//! Who calls, and with whose key: the headers of a request for each door.

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::GatewaySettings;
use super::doors::Path;
use super::options::Options;
use super::vendors::Vendor;
use crate::config::Secret;
use crate::model::ProviderError;
use crate::providers::http::HttpRequest;

const GATEWAY_ID: HeaderName = HeaderName::from_static("cf-aig-gateway-id");
const GATEWAY_AUTHORIZATION: HeaderName = HeaderName::from_static("cf-aig-authorization");
const KEY_ALIAS: HeaderName = HeaderName::from_static("cf-aig-byok-alias");
const BEARER: &str = "Bearer ";

/// The request with everything that its path wants above the body.
pub(super) fn sign(
    mut request: HttpRequest,
    path: Path,
    settings: &GatewaySettings,
    options: &Options,
    vendor: Option<&Vendor>,
) -> Result<HttpRequest, ProviderError> {
    request.headers.extend(options.headers.clone());
    match path {
        Path::Run => on_api(request, settings),
        Path::Compat | Path::Native => {
            let request = at_gateway(request, path, settings, options, vendor)?;
            Ok(name_key(request, options))
        }
    }
}

/// At Cloudflare's API the gateway is named in a header.
pub(super) fn on_api(request: HttpRequest, settings: &GatewaySettings) -> Result<HttpRequest, ProviderError> {
    let gateway = HeaderValue::from_str(settings.gateway.as_str()).expect("letters, digits, hyphens and underscores");
    let request = request.header(GATEWAY_ID, gateway);
    match &settings.api_token {
        Some(token) => request.secret(AUTHORIZATION, BEARER, token),
        None => Ok(request),
    }
}

/// At the gateway `Authorization` is the vendor's: what stands there is passed on to it. So Cloudflare's token stands
/// there only for Cloudflare's own models, and never beside itself. Without a key the gateway takes one that is stored.
fn at_gateway(
    request: HttpRequest,
    path: Path,
    settings: &GatewaySettings,
    options: &Options,
    vendor: Option<&Vendor>,
) -> Result<HttpRequest, ProviderError> {
    let key = vendor.map(|vendor| vendor.key);
    let own = settings.api_token.as_ref().filter(|_| key.is_some_and(|key| key.is_cloudflares));
    let given = options.api_key.as_ref().or(own);
    let caller = settings.caller().filter(|caller| !given.is_some_and(|given| same(given, caller)));
    let request = match caller {
        Some(caller) => request.secret(GATEWAY_AUTHORIZATION, BEARER, caller)?,
        None => request,
    };
    let Some(given) = given else { return Ok(request) };
    match key.filter(|_| path == Path::Native) {
        Some(key) => request.secret(HeaderName::from_static(key.header), key.scheme, given),
        None => request.secret(AUTHORIZATION, BEARER, given),
    }
}

/// The page that describes the compat door gives `cf-aig-authorization: KEY_NAME` for a stored key. The service has
/// moved on: it wants the caller's token there, and the name of any key but the default one in `cf-aig-byok-alias`.
/// Where no token is configured that header is free, and has the name as documented.
fn name_key(request: HttpRequest, options: &Options) -> HttpRequest {
    let Some(name) = options.key_ref.clone() else { return request };
    let request = match request.headers.contains_key(&GATEWAY_AUTHORIZATION) {
        true => request,
        false => request.header(GATEWAY_AUTHORIZATION, name.clone()),
    };
    request.header(KEY_ALIAS, name)
}

fn same(one: &Secret, other: &Secret) -> bool {
    one.expose().trim() == other.expose().trim()
}
