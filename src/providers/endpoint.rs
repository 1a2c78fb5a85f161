//! Which URL and which model a call is for.

use url::Url;

use crate::model::{ErrorKind, ProviderError};

/// `base` as users write it: with or without a closing slash, or with the endpoint itself already at its end. Only a
/// base that is a bare host gets the `/v1` that everybody has; another path is taken at its word.
pub(super) fn join(base: &Url, endpoint: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let endpoints = ["/chat/completions", "/responses"];
    let path = endpoints.iter().find_map(|endpoint| path.strip_suffix(endpoint)).unwrap_or(path);
    let path = if path.is_empty() { "/v1" } else { path };
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
    use super::{join, join_versioned};
    use url::Url;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn bases_of_all_forms() {
        let check = |base: &str, expected: &str| assert_eq!(join(&url(base), "chat/completions").as_str(), expected);
        check("http://h:1", "http://h:1/v1/chat/completions");
        check("http://h:1/", "http://h:1/v1/chat/completions");
        check("http://h:1/v1", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/", "http://h:1/v1/chat/completions");
        check("http://h:1/openai/v1", "http://h:1/openai/v1/chat/completions");
        check("http://h:1/cfgw", "http://h:1/cfgw/chat/completions");
        check("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions");
        check("http://h:1/codex/responses", "http://h:1/codex/chat/completions");
        check("http://h:1/v1?api-version=2", "http://h:1/v1/chat/completions?api-version=2");
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
