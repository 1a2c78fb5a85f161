//! The ways to a model, in the order in which Helm prefers them, and the choice between them.

use std::sync::Arc;

use super::attempts::Candidate;
use super::{HelmError, Message};
use crate::model::Provider;

/// One way to a model, as the configuration leaves it.
#[derive(Clone)]
pub struct Route {
    pub id: String,
    pub enabled: bool,
    /// There if it is configured.
    pub provider: Option<Arc<dyn Provider>>,
    /// How to set it up.
    pub hint: String,
    /// Why it can only propose, if so.
    pub propose_only: Option<String>,
    /// What may stand before the `/` of a model's name; empty if anything may.
    pub vendors: Vec<&'static str>,
}

/// In order of preference.
#[derive(Clone, Default)]
pub struct Routes {
    routes: Vec<Route>,
}

/// What a turn will use.
#[derive(Clone)]
pub struct Chosen {
    pub candidates: Vec<Candidate>,
    /// Why the turn can only propose, if so.
    pub propose_only: Option<String>,
}

impl Routes {
    pub fn new(routes: Vec<Route>) -> Self {
        Self { routes }
    }

    /// What a request that names no provider would use.
    pub fn default_route(&self) -> Option<&Route> {
        self.routes.iter().find(|route| route.is_ready())
    }

    pub fn get(&self, id: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.id == id)
    }

    /// The provider of a route that can be used, or why it cannot.
    pub fn provider(&self, id: &str) -> Result<&Arc<dyn Provider>, HelmError> {
        let route = self.get(id).ok_or_else(|| self.unknown(id))?;
        match &route.provider {
            Some(provider) if route.enabled => Ok(provider),
            _ => Err(route.not_ready()),
        }
    }

    /// A provider that was named is used or refused, never replaced.
    pub fn choose(&self, message: &Message) -> Result<Chosen, HelmError> {
        let first = match &message.provider {
            Some(id) => id.as_str(),
            None => self.default_route().ok_or_else(|| self.none())?.id.as_str(),
        };
        let mut wanted = vec![(first.to_owned(), message.model.clone())];
        for fallback in &message.fallbacks {
            wanted.push(self.parse(fallback)?);
        }
        self.restore(&wanted)
    }

    /// The candidates that a turn was started with.
    pub fn restore(&self, wanted: &[(String, Option<String>)]) -> Result<Chosen, HelmError> {
        let mut candidates = Vec::with_capacity(wanted.len());
        for (id, model) in wanted {
            let provider = Arc::clone(self.provider(id)?);
            candidates.push(Candidate { provider, model: model.clone() });
        }
        let propose_only = wanted.iter().find_map(|(id, _)| self.get(id).and_then(|route| route.propose_only.clone()));
        Ok(Chosen { candidates, propose_only })
    }

    /// `provider/model`, or a provider alone. The model may hold slashes of its own.
    fn parse(&self, text: &str) -> Result<(String, Option<String>), HelmError> {
        let (id, model) = match text.split_once('/') {
            Some((id, model)) if !model.is_empty() => (id, Some(model.to_owned())),
            _ => (text.trim_end_matches('/'), None),
        };
        self.get(id).ok_or_else(|| self.unknown(id))?;
        Ok((id.to_owned(), model))
    }

    fn unknown(&self, id: &str) -> HelmError {
        let known: Vec<&str> = self.routes.iter().map(|route| route.id.as_str()).collect();
        HelmError::NoProvider {
            message: format!("there is no provider '{id}'"),
            hint: format!("The providers are {}.", known.join(", ")),
        }
    }

    fn none(&self) -> HelmError {
        let message = "no provider is both enabled and configured".to_owned();
        // One that only has to be allowed is the shortest way.
        if let Some(route) = self.routes.iter().find(|route| route.provider.is_some()) {
            return HelmError::NoProvider { message, hint: format!("Add {} to ENABLED_PLUGINS.", route.id) };
        }
        let hints = self.routes.iter().map(|route| route.hint.as_str()).filter(|hint| !hint.is_empty());
        HelmError::NoProvider { message, hint: hints.collect::<Vec<_>>().join(" ") }
    }
}

impl Route {
    pub fn is_ready(&self) -> bool {
        self.enabled && self.provider.is_some()
    }

    fn not_ready(&self) -> HelmError {
        let id = &self.id;
        // Unless ENABLED_PLUGINS says otherwise, to be configured is to be enabled: the first thing to do comes first.
        if self.provider.is_none() {
            return HelmError::NoProvider {
                message: format!("provider '{id}' is not configured"),
                hint: self.hint.clone(),
            };
        }
        let message = format!("provider '{id}' is not enabled");
        HelmError::NoProvider { message, hint: format!("Add {id} to ENABLED_PLUGINS.") }
    }
}
