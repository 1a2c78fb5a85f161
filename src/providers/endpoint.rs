//! Which URL and which model a call is for.

use url::Url;

use crate::model::{ErrorKind, ProviderError};

/// `base` as users write it: with or without a closing slash, or with the endpoint itself already at its end. `home` is
/// where the API is on such a host, `/v1` for most: a base that is a bare host, or stops on the way there, is led there;
/// another path is taken at its word.
pub(super) fn join(base: &Url, home: &str, endpoint: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let ends = ["/chat/completions", "/responses", "/models"];
    let path = ends.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
    let is_on_the_way = home.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let path = if is_on_the_way { home } else { path };
    with_path(base, &format!("{path}/{endpoint}"))
}

/// For vendors whose base ends before the version: `base` with or without `/v1`.
pub(super) fn join_versioned(base: &Url, endpoint: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/messages").unwrap_or(path);
    let path = path.strip_suffix("/v1").unwrap_or(path);
    with_path(base, &format!("{path}/v1/{endpoint}"))
}

fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_fragment(None);
    url
}

/// An id out of the settings that becomes a segment of URLs, and leads nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub struct PathId(String);

impl PathId {
    /// None if it is not one.
    pub fn new(id: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        ((1..=64).contains(&id.len()) && id.bytes().all(fits)).then(|| Self(id.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whatever `base` ends with, these segments come behind it.
pub(super) fn below<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    // Fails only for URLs without a path, which no setting may be.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

pub(super) fn no_model() -> ProviderError {
    ProviderError::new(ErrorKind::Config, "no model is named, and none is set as the default")
        .with_hint("set MODEL_DEFAULT, or name a model in the request")
}

/// When the list of models, from which one would have been chosen, cannot be had.
pub(super) fn no_model_known(error: ProviderError) -> ProviderError {
    match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::ModelNotFound | ErrorKind::Protocol => no_model(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::{PathId, join, join_versioned};
    use url::Url;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn ids_cannot_lead_a_url_elsewhere() {
        for good in ["my-gateway", "default", "0a1b_2c", "0123456789abcdef0123456789abcdef"] {
            assert!(PathId::new(good).is_some(), "{good}");
        }
        for bad in ["", "..", "a/b", "a?b", "a#b", "a%2fb", "ä", "a b"] {
            assert_eq!(PathId::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn bases_of_all_forms() {
        let check =
            |base: &str, expected: &str| assert_eq!(join(&url(base), "/v1", "chat/completions").as_str(), expected);
        check("http://h:1", "http://h:1/v1/chat/completions");
        check("http://h:1/", "http://h:1/v1/chat/completions");
        check("http://h:1/v1", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/", "http://h:1/v1/chat/completions");
        check("http://h:1/v1//", "http://h:1/v1/chat/completions");
        check("http://h:1/openai/v1", "http://h:1/openai/v1/chat/completions");
        check("http://h:1/cfgw", "http://h:1/cfgw/chat/completions");
        check("http://h:1/v1beta", "http://h:1/v1beta/chat/completions");
        check("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/chat/completions/", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/models", "http://h:1/v1/chat/completions");
        check("http://h:1/codex/responses", "http://h:1/codex/chat/completions");
        check("http://h:1/v1?api-version=2", "http://h:1/v1/chat/completions?api-version=2");
    }

    #[test]
    fn a_base_that_stops_on_the_way_is_led_home() {
        let check = |base: &str, expected: &str| assert_eq!(join(&url(base), "/openai/v1", "x").path(), expected);
        for base in ["http://h", "http://h/openai", "http://h/openai/", "http://h/openai/v1", "http://h/openai/v1/"] {
            check(base, "/openai/v1/x");
        }
        assert_eq!(join(&url("http://h/"), "", "x").path(), "/x");
        check("http://h/open", "/open/x");
        check("http://h/v1", "/v1/x");
    }

    #[test]
    fn bases_with_and_without_the_version() {
        let check = |base: &str, expected: &str| assert_eq!(join_versioned(&url(base), "messages").as_str(), expected);
        check("https://h", "https://h/v1/messages");
        check("https://h/v1/", "https://h/v1/messages");
        check("https://h/ai/v1", "https://h/ai/v1/messages");
        check("https://h/proxy", "https://h/proxy/v1/messages");
        check("https://h/v1/messages", "https://h/v1/messages");
    }
}
