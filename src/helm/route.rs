//! The ways to a model, in the order in which Helm prefers them, and the choice between them.

use std::sync::Arc;

use super::attempts::Candidate;
use super::{HelmError, Message};
use crate::model::{Engine, Mode, Provider};

/// One way to a model, as the configuration leaves it.
#[derive(Clone)]
pub struct Route {
    pub id: String,
    pub enabled: bool,
    /// Either is there if it is configured; both may be.
    pub provider: Option<Arc<dyn Provider>>,
    pub engine: Option<Arc<dyn Engine>>,
    /// How to set it up.
    pub hint: String,
    /// Why it can only propose, if so.
    pub propose_only: Option<String>,
    /// What may stand before the `/` of a model's name, or begin what stands there if it ends in a hyphen; empty if
    /// anything may.
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

    /// A route that can be used, or why it cannot.
    pub fn ready(&self, id: &str) -> Result<&Route, HelmError> {
        let route = self.get(id).ok_or_else(|| self.unknown(id))?;
        if route.is_ready() { Ok(route) } else { Err(route.not_ready()) }
    }

    /// The provider of a route that can be used, or why it cannot.
    pub fn provider(&self, id: &str) -> Result<&Arc<dyn Provider>, HelmError> {
        let only_turns = || HelmError::bad_request(format!("provider '{id}' runs turns and lists no models here"));
        self.ready(id)?.provider.as_ref().ok_or_else(only_turns)
    }

    /// The first that runs whole turns.
    pub fn engine(&self) -> Option<&Arc<dyn Engine>> {
        self.routes.iter().filter(|route| route.enabled).find_map(|route| route.engine.as_ref())
    }

    /// A provider that was named is used or refused, never replaced.
    pub fn choose(&self, message: &Message) -> Result<Chosen, HelmError> {
        let own = match &message.provider {
            Some(id) => self.get(id).ok_or_else(|| self.unknown(id))?,
            None => self.default_route().ok_or_else(|| self.none())?,
        };
        let mut wanted = vec![(own.id.clone(), message.model.clone())];
        for fallback in &message.fallbacks {
            wanted.push(self.resolve(own, fallback)?);
        }
        self.restore(&wanted, message.mode)
    }

    /// The candidates that a turn was started with. If the first can only propose, so can the turn; among the others,
    /// one that can only propose does not stand in for one that works.
    pub fn restore(&self, wanted: &[(String, Option<String>)], mode: Mode) -> Result<Chosen, HelmError> {
        let reason = |id: &str| self.get(id).and_then(|route| route.propose_only.clone());
        let propose_only = wanted.first().and_then(|(id, _)| reason(id));
        let works = mode != Mode::Propose && propose_only.is_none();
        let mut candidates = Vec::with_capacity(wanted.len());
        for (id, model) in wanted {
            let Route { provider, engine, .. } = self.ready(id)?.clone();
            let (id, model) = (id.clone(), model.clone());
            let unfit = reason(&id).filter(|_| works);
            candidates.push(Candidate { id, provider, engine, model, unfit });
        }
        Ok(Chosen { candidates, propose_only })
    }

    /// What the name of a fallback stands for in a turn whose own provider is `own`: a provider and a model of it, a
    /// provider alone, or a model that `own` or another provider knows by its vendor.
    fn resolve(&self, own: &Route, name: &str) -> Result<(String, Option<String>), HelmError> {
        let with = |route: &Route| Ok((route.id.clone(), Some(name.to_owned())));
        let (head, model) = name.split_once('/').unwrap_or((name, ""));
        match self.get(head) {
            Some(route) if route.is_ready() => {
                return Ok((route.id.clone(), Some(model.to_owned()).filter(|model| !model.is_empty())));
            }
            Some(_) if own.knows(head) => return with(own),
            Some(route) => return Err(route.not_ready()),
            None => {}
        }
        let is_alone = !name.is_empty() && !name.contains('/');
        if is_alone || own.vendors.is_empty() && !head.is_empty() || own.knows(head) {
            return with(own);
        }
        let other = self.routes.iter().find(|route| route.is_ready() && route.knows(head));
        other.map_or_else(|| Err(self.unknown(head)), with)
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
        if let Some(route) = self.routes.iter().find(|route| route.is_configured()) {
            return HelmError::NoProvider { message, hint: format!("Add {} to ENABLED_PLUGINS.", route.id) };
        }
        let hints = self.routes.iter().map(Route::setup).filter(|hint| !hint.is_empty());
        HelmError::NoProvider { message, hint: hints.collect::<Vec<_>>().join(" ") }
    }
}

impl Route {
    pub fn is_ready(&self) -> bool {
        self.enabled && self.is_configured()
    }

    fn is_configured(&self) -> bool {
        self.engine.is_some() || self.provider.as_ref().is_some_and(|provider| provider.lack().is_none())
    }

    /// How to set it up, or what else it lacks.
    fn setup(&self) -> String {
        let lack = self.provider.as_ref().and_then(|provider| provider.lack());
        lack.unwrap_or_else(|| self.hint.clone())
    }

    /// However it is cased, and whether its words are parted by hyphens, underscores or blanks.
    fn knows(&self, vendor: &str) -> bool {
        let vendor = vendor.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        let fits = |known: &str| known == vendor || known.ends_with('-') && vendor.starts_with(known);
        self.vendors.iter().copied().any(fits)
    }

    fn not_ready(&self) -> HelmError {
        let id = &self.id;
        // Unless ENABLED_PLUGINS says otherwise, to be configured is to be enabled: the first thing to do comes first.
        if !self.is_configured() {
            return HelmError::NoProvider { message: format!("provider '{id}' is not configured"), hint: self.setup() };
        }
        let message = format!("provider '{id}' is not enabled");
        HelmError::NoProvider { message, hint: format!("Add {id} to ENABLED_PLUGINS.") }
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
