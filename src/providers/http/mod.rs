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

#[cfg(test)]
mod tests;

pub use body::{Body, Response};
pub use request::HttpRequest;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::config;
use crate::model::ProviderError;
use crate::policy::{HostPolicy, Redactor};
use client::Clients;
use redirect::{Hop, MAX_HOPS, next_hop};

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
}

impl Http {
    pub fn new(policy: HostPolicy, settings: config::Http, redactor: Redactor) -> Self {
        let clients = Clients::new(settings.connect_timeout);
        Self { shared: Arc::new(Shared { policy, settings, redactor, clients }) }
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
            let answer = self.exchange(&request).await?;
            match next_hop(&request.method, &request.url, answer.status(), answer.headers()) {
                Hop::Stay => return Ok(self.respond(answer, &request)),
                Hop::Refuse(to) => return Err(fault::moved(&request.url, answer.status(), &to)),
                Hop::Follow(to) => request.redirect(to),
            }
        }
        Err(fault::too_many_hops(&request.url))
    }

    async fn exchange(&self, request: &HttpRequest) -> Result<reqwest::Response, ProviderError> {
        let Shared { policy, settings, redactor, clients } = &*self.shared;
        policy.check(&request.url).map_err(|host| fault::host_not_allowed(&host))?;
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

    fn respond(&self, answer: reqwest::Response, request: &HttpRequest) -> Response {
        let idle: Duration = self.shared.settings.idle_timeout;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = Body::new(answer, request, idle, self.shared.redactor.clone());
        Response { status, headers, body }
    }
}
