//! The one client that every request of the daemon goes out through.
//!
//! Promises: no host is spoken to that the policy does not name, redirects included; a credential reaches the origin
//! it was given for and no other; nothing waits for ever; no error holds a secret. It leaves to others what an answer
//! means and whether to ask again.

mod body;
mod client;
mod fault;
mod redirect;
mod request;
mod warm;

#[cfg(test)]
mod tests;

pub use body::{Body, Response};
pub use request::HttpRequest;
pub use warm::{Link, LinkState, LinkView, Warmth};

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Version};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::config;
use crate::model::ProviderError;
use crate::policy::{HostPolicy, Redactor};
use client::Clients;
use redirect::{Hop, MAX_HOPS, next_hop};
use warm::{Links, UnderWay};

/// A probe is not worth more patience than this; a slow server is not a warm one.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A handle: cloning it shares the connections. Nothing is opened or loaded before the first request.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    policy: HostPolicy,
    settings: config::Http,
    redactor: Redactor,
    clients: Clients,
    links: Links,
}

impl Http {
    pub fn new(policy: HostPolicy, settings: config::Http, redactor: Redactor) -> Self {
        Self::trusting(None, policy, settings, redactor)
    }

    fn trusting(
        roots: Option<Vec<Certificate>>,
        policy: HostPolicy,
        settings: config::Http,
        redactor: Redactor,
    ) -> Self {
        let clients = Clients::new(settings.connect_timeout, roots);
        Self { shared: Arc::new(Shared { policy, settings, redactor, clients, links: Links::default() }) }
    }

    /// The way to where this URL is, which is watched from now on.
    pub fn link(&self, url: &Url) -> Arc<Link> {
        self.shared.links.add(url, self.shared.settings.warm_interval)
    }

    /// Opens all links, and keeps them open for as long as the result lives.
    pub fn keep_warm(&self) -> Warmth {
        self.shared.links.keep_warm(self)
    }

    pub fn settings(&self) -> &config::Http {
        &self.shared.settings
    }

    pub fn redactor(&self) -> &Redactor {
        &self.shared.redactor
    }

    /// Any answer is an `Ok`, whatever its status; an error means that there was none.
    pub async fn send(&self, mut request: HttpRequest) -> Result<Response, ProviderError> {
        for _ in 0..=MAX_HOPS {
            let (answer, under_way) = self.watched(&request).await?;
            match next_hop(&request.method, &request.url, answer.status(), answer.headers()) {
                Hop::Stay => return Ok(self.respond(answer, &request, under_way)),
                Hop::Refuse(to) => return Err(fault::moved(&request.url, answer.status(), &to)),
                Hop::Follow(to) if request.is_confined && to.origin() != request.url.origin() => {
                    let origin = to.origin().ascii_serialization();
                    return Err(fault::moved(&request.url, answer.status(), &origin));
                }
                Hop::Follow(to) => request.redirect(to),
            }
        }
        Err(fault::too_many_hops(&request.url))
    }

    /// Whether HTTP/2 is spoken there. The answer is let go as it comes, wherever it points to.
    async fn knock(&self, origin: &Url) -> Result<bool, ProviderError> {
        self.check(origin)?;
        let (http, url) = (self.clone(), origin.clone());
        // The system's certificates are read at the first use, and nobody should have to wait for that.
        let ready = tokio::task::spawn_blocking(move || http.shared.clients.for_url(&url).map(|_| ()));
        if let Ok(ready) = ready.await {
            ready?;
        }
        match timeout(PROBE_TIMEOUT, self.exchange(&HttpRequest::head(origin.clone()))).await {
            Ok(answer) => Ok(is_http2(&answer?)),
            Err(_) => Err(fault::no_answer(origin, PROBE_TIMEOUT)),
        }
    }

    async fn watched(&self, request: &HttpRequest) -> Result<(reqwest::Response, Option<UnderWay>), ProviderError> {
        let under_way = self.shared.links.under_way(&request.url);
        let answer = self.exchange(request).await;
        if let Some(under_way) = &under_way {
            match &answer {
                Ok(answer) => under_way.answered(is_http2(answer)),
                Err(error) => under_way.failed(error),
            }
        }
        Ok((answer?, under_way))
    }

    async fn exchange(&self, request: &HttpRequest) -> Result<reqwest::Response, ProviderError> {
        self.check(&request.url)?;
        let Shared { settings, redactor, clients, .. } = &*self.shared;
        let client = clients.for_url(&request.url)?;
        let limit = Instant::now() + settings.response_timeout;
        let until = request.deadline.map_or(limit, |deadline| deadline.min(limit));
        match timeout_at(until, client.execute(request.to_wire())).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(fault::transport(&request.url, error, redactor)),
            Err(_) if until < limit => Err(fault::deadline(&request.url)),
            Err(_) => Err(fault::no_answer(&request.url, settings.response_timeout)),
        }
    }

    fn check(&self, url: &Url) -> Result<(), ProviderError> {
        self.shared.policy.check(url).map_err(|host| fault::host_not_allowed(&host))
    }

    fn respond(&self, answer: reqwest::Response, request: &HttpRequest, under_way: Option<UnderWay>) -> Response {
        let idle: Duration = self.shared.settings.idle_timeout;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = Body::new(answer, request, idle, self.shared.redactor.clone()).under_way(under_way);
        Response { status, headers, body }
    }
}

fn is_http2(answer: &reqwest::Response) -> bool {
    answer.version() == Version::HTTP_2
}
