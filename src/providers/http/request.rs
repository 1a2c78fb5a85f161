//! A request as a plain value, which can be sent again.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use url::Url;

use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};

/// Headers given by [`HttpRequest::secret`] are marked as sensitive: they are never printed, and they are left behind
/// when a redirect leads to another origin.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// By when the whole exchange, body included, must be over.
    pub deadline: Option<Instant>,
    /// Whether the body is a secret, which no redirect takes to another origin.
    pub(super) is_confined: bool,
}

impl HttpRequest {
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }

    pub fn post_json(url: Url, body: impl Into<Bytes>) -> Self {
        let request = Self { body: body.into(), ..Self::new(Method::POST, url) };
        request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    pub fn post_form<'a>(url: Url, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Self { body: body.into(), ..Self::new(Method::POST, url) };
        request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
    }

    fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), deadline: None, is_confined: false }
    }

    /// The body is a secret: it goes to this origin or nowhere.
    pub fn confined(mut self) -> Self {
        self.is_confined = true;
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// `scheme` is what stands before the secret in the value: `"Bearer "`, or nothing.
    pub fn secret(mut self, name: HeaderName, scheme: &str, secret: &Secret) -> Result<Self, ProviderError> {
        let text = format!("{scheme}{}", secret.expose().trim());
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            ProviderError::new(ErrorKind::Config, format!("the key for the header {name} holds a forbidden character"))
                .with_hint("set the key again; a line break or a quote may have slipped in")
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Asks for the bytes as they are: a compressed stream arrives in lumps.
    pub fn uncompressed(self) -> Self {
        self.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
    }

    pub fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    pub(super) fn redirect(&mut self, to: Url) {
        if to.origin() != self.url.origin() {
            let left_behind = self.headers.iter().filter(|(_, value)| value.is_sensitive());
            let left_behind: Vec<HeaderName> = left_behind.map(|(name, _)| name.clone()).collect();
            for name in left_behind {
                self.headers.remove(name);
            }
        }
        self.url = to;
    }

    pub(super) fn to_wire(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        if self.method == Method::POST {
            *request.body_mut() = Some(self.body.clone().into());
        }
        request
    }
}
