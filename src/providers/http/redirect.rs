//! Where a redirect leads. A decision only: whether the place is allowed, and with which headers, is decided elsewhere.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

pub(super) const MAX_HOPS: usize = 5;

#[derive(Debug, PartialEq)]
pub(super) enum Hop {
    /// The answer is not a redirect.
    Stay,
    Follow(Url),
    /// Following would turn a POST into a GET, and the conversation would be lost on the way.
    Refuse(String),
}

pub(super) fn next_hop(method: &Method, from: &Url, status: StatusCode, headers: &HeaderMap) -> Hop {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Hop::Stay;
    }
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else { return Hop::Stay };
    let keeps_method = matches!(status.as_u16(), 307 | 308) || matches!(*method, Method::GET | Method::HEAD);
    if keeps_method { Hop::Follow(to) } else { Hop::Refuse(without_query(to)) }
}

/// A location can carry a one-time token in its query.
fn without_query(mut url: Url) -> String {
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have user info, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Hop, next_hop};
    use reqwest::header::{HeaderMap, HeaderValue, LOCATION};
    use reqwest::{Method, StatusCode};
    use url::Url;

    fn check(method: Method, status: u16, location: &str) -> Hop {
        let from = Url::parse("https://a.example/v1/chat").unwrap();
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())]);
        next_hop(&method, &from, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn a_post_is_never_turned_into_a_get() {
        let followed = Hop::Follow(Url::parse("https://a.example/v2").unwrap());
        for status in [301, 302, 303] {
            assert_eq!(check(Method::GET, status, "/v2"), followed);
            assert_eq!(check(Method::POST, status, "/v2?token=t"), Hop::Refuse("https://a.example/v2".to_owned()));
        }
        for status in [307, 308] {
            assert_eq!(check(Method::POST, status, "/v2"), followed);
        }
        assert_eq!(check(Method::POST, 304, "/v2"), Hop::Stay);
    }
}
