//! Model servers on this machine that nobody has configured: found at their usual ports to be offered, and never used
//! without being asked for.
//!
//! The search goes to the ports of [`TABLE`] on this machine and nowhere else, to none that `ALLOWED_HOSTS` leaves out,
//! carries no key, and takes no longer than [`PATIENCE`], whoever listens there.

mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use super::openai_compatible;
use crate::config::{self, Config};
use crate::model::Provider;
use crate::policy::{HostPattern, HostPolicy, Redactor};
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::http::{Http, HttpRequest};
use crate::providers::upstream::Upstream;
use table::{Row, Sign, TABLE};

/// A server on the same machine answers in a few, unless it is busy with something else.
const PATIENCE: Duration = Duration::from_millis(300);
/// Somebody who lists the providers again may just have started one.
const KEEP: Duration = Duration::from_secs(5);
/// Longer than what any of them says of itself.
const MAX_SIGN: usize = 256 * 1024;
/// Enough to choose from; a list of what was found is no list of models.
const MAX_MODELS: usize = 50;

const UPSTREAM: Upstream =
    Upstream { name: "the local server", key_setting: "OPENAI_COMPATIBLE_KEY", url_setting: openai_compatible::URL };

/// A server that could be used.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalServer {
    pub name: &'static str,
    /// What `OPENAI_COMPATIBLE_URL` would be set to.
    pub url: String,
    pub models: Vec<String>,
    /// Whether the plugin that would use it must be enabled as well.
    pub left_out: bool,
}

/// Where to look. By default nowhere.
#[derive(Default)]
pub struct LocalServers {
    places: Vec<Place>,
    left_out: bool,
    found: Mutex<Option<(Instant, Arc<[LocalServer]>)>>,
}

struct Place {
    row: Row,
    root: Url,
}

impl LocalServers {
    /// `taken` are the places that are in use already.
    pub(super) fn new(config: &Config, allowed: Option<&HostPolicy>, taken: &[Url]) -> Self {
        if !config.http.discover {
            return Self::default();
        }
        Self::among(TABLE, config, allowed, taken)
    }

    fn among(rows: &[Row], config: &Config, allowed: Option<&HostPolicy>, taken: &[Url]) -> Self {
        let places = rows.iter().map(|row| Place { row: *row, root: root(row.port) });
        let may = |place: &Place| allowed.is_none_or(|policy| policy.check(&place.root).is_ok());
        let free = |place: &Place| !taken.iter().any(|url| is_here(url, place.row.port));
        let enabled = config.enabled_plugins.as_ref();
        Self {
            places: places.filter(may).filter(free).collect(),
            left_out: enabled.is_some_and(|plugins| plugins.iter().all(|id| id != openai_compatible::ID)),
            found: Mutex::default(),
        }
    }

    /// Those that answer now, or did a moment ago.
    pub async fn find(&self) -> Arc<[LocalServer]> {
        // Whoever comes meanwhile waits for the same search.
        let mut found = self.found.lock().await;
        if let Some((_, found)) = found.as_ref().filter(|(at, _)| at.elapsed() < KEEP) {
            return Arc::clone(found);
        }
        let fresh: Arc<[LocalServer]> = self.search().await.into();
        *found = Some((Instant::now(), Arc::clone(&fresh)));
        fresh
    }

    /// All at once, through a client of its own that is gone afterwards, and its connections with it.
    async fn search(&self) -> Vec<LocalServer> {
        let hosts = self.places.iter().filter_map(|place| HostPattern::of(&place.root));
        let settings = config::Http {
            connect_timeout: PATIENCE,
            response_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            max_retries: 0,
            ..config::Http::default()
        };
        let http = Http::new(HostPolicy::new(hosts.collect()), settings, Redactor::default());
        let asked = self.places.iter().map(|place| timeout(PATIENCE, place.ask(&http)));
        let answers = join_all(asked).await.into_iter().zip(&self.places);
        answers.filter_map(|(models, place)| Some(self.offer(place, models.ok()??))).collect()
    }

    fn offer(&self, place: &Place, models: Vec<String>) -> LocalServer {
        LocalServer { name: place.row.name, url: format!("{}v1", place.root), models, left_out: self.left_out }
    }
}

impl LocalServer {
    /// A name and its value, as a shell takes them.
    pub fn setting(&self) -> String {
        format!("{}={}", openai_compatible::URL, self.url)
    }

    /// How to use it, without a capital and a full stop.
    pub fn hint(&self) -> String {
        let set = format!("set {}", self.setting());
        if self.left_out { format!("{set}, and add {} to ENABLED_PLUGINS", openai_compatible::ID) } else { set }
    }
}

impl Place {
    /// The models of the server that the row means; none if there is another one, or nobody.
    async fn ask(&self, http: &Http) -> Option<Vec<String>> {
        let signs = join_all(self.row.signs.iter().map(|sign| self.shows(http, sign)));
        let (signs, models) = tokio::join!(signs, self.models(http));
        signs.contains(&true).then_some(models)?
    }

    async fn shows(&self, http: &Http, sign: &Sign) -> bool {
        let mut url = self.root.clone();
        url.set_path(sign.path);
        let Ok(answer) = http.send(HttpRequest::get(url)).await else { return false };
        let headers = answer.headers.clone();
        answer.is_success() && answer.bytes(MAX_SIGN).await.is_ok_and(|body| sign.is_in(&headers, &body))
    }

    /// Without such a list it is no server that the plugin could use.
    async fn models(&self, http: &Http) -> Option<Vec<String>> {
        let settings = ChatSettings {
            id: openai_compatible::ID,
            upstream: UPSTREAM,
            base_url: self.root.clone(),
            key: None,
            headers: HeaderMap::new(),
            default_model: None,
        };
        let models = Chat::new(http.clone(), settings).models().await.ok()?;
        Some(models.into_iter().take(MAX_MODELS).map(|model| model.id).collect())
    }
}

/// The address and not the name, which may mean another one to other programs.
fn root(port: u16) -> Url {
    Url::parse(&format!("http://127.0.0.1:{port}/")).expect("an address and a port")
}

fn is_here(url: &Url, port: u16) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => false,
    };
    local && url.port_or_known_default() == Some(port)
}
