//! Who may ask anything at all: decided from the head of a request, before anything else is looked at.
//!
//! A web page of somebody else's can send requests to this machine, under a name of its own that it lets lead here. It
//! can neither leave out its `Origin` nor name a `Host` that it is not at, and it knows no token.

use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use subtle::ConstantTimeEq;

use crate::config::Secret;

pub struct Guard {
    token: Secret,
    /// With their ports.
    own: Vec<String>,
    allowed: RwLock<Allowed>,
}

/// What is listed beside this machine's own names.
struct Allowed {
    /// With a port, or with any.
    hosts: Vec<String>,
    origins: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Host,
    Origin,
    TokenInUrl,
    NoToken,
    WrongToken,
}

/// What people put tokens in.
const TELLTALES: [&str; 8] = ["token", "access_token", "auth", "authorization", "bearer", "api_key", "apikey", "key"];

impl Guard {
    /// `address` is where is listened.
    pub fn new(token: Secret, address: SocketAddr, tls: bool, hosts: &[String], origins: &[String]) -> Self {
        let port = address.port();
        let ip = address.ip().to_string();
        let ip = if address.is_ipv6() { format!("[{ip}]") } else { ip };
        let names = ["127.0.0.1", "localhost", "[::1]", &ip];
        let customary = port == if tls { 443 } else { 80 };
        let mut own: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        own.extend(names.iter().filter(|_| customary).map(ToString::to_string));
        Self { token, own, allowed: RwLock::new(Allowed::new(hosts, origins)) }
    }

    /// From now on these are listed, and what was listed before is not.
    pub fn allow(&self, hosts: &[String], origins: &[String]) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = Allowed::new(hosts, origins);
    }

    fn allowed(&self) -> RwLockReadGuard<'_, Allowed> {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let host = only(&head.headers, &header::HOST).ok_or(Refusal::Host)?;
        let in_url = head.uri.authority().map(Authority::as_str);
        if !self.knows(host) || in_url.is_some_and(|authority| !self.knows(authority)) {
            return Err(Refusal::Host);
        }
        if head.headers.contains_key(header::ORIGIN) && self.origin(&head.headers).is_none() {
            return Err(Refusal::Origin);
        }
        if self.token_in(&head.uri) {
            return Err(Refusal::TokenInUrl);
        }
        // A browser asks first whether it may send one.
        if is_preflight(head) {
            return Ok(());
        }
        let token = given(head).ok_or(Refusal::NoToken)?;
        let same = token.trim().as_bytes().ct_eq(self.token.expose().as_bytes());
        if same.into() { Ok(()) } else { Err(Refusal::WrongToken) }
    }

    /// The origin that the request comes from, if it is listed.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let origin = only(headers, &header::ORIGIN)?;
        self.allowed().origins.iter().any(|listed| origin.eq_ignore_ascii_case(listed)).then_some(origin)
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(&*host, |(name, _)| name);
        self.own.contains(&host) || self.allowed().hosts.iter().any(|named| *named == host || named == name)
    }

    fn token_in(&self, uri: &Uri) -> bool {
        let whole = uri.path_and_query().map_or("", |part| part.as_str());
        let names = uri.query().unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
        let telling = |name: &str| TELLTALES.iter().any(|telltale| name.eq_ignore_ascii_case(telltale));
        names.into_iter().any(telling) || whole.contains(self.token.expose())
    }
}

impl Allowed {
    fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower = |list: &[String]| list.iter().map(|text| text.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts: lower(hosts), origins: lower(origins) }
    }
}

/// The token that comes with a request. A page cannot send the header where it opens a WebSocket: it names a subprotocol.
/// Only pages that are listed get as far as here.
fn given(head: &Parts) -> Option<&str> {
    let opens = head.headers.contains_key(header::ORIGIN) && head.headers.contains_key(header::UPGRADE);
    if opens && !head.headers.contains_key(header::AUTHORIZATION) {
        let protocols = only(&head.headers, &header::SEC_WEBSOCKET_PROTOCOL)?;
        return protocols.split(',').find_map(|protocol| protocol.trim().strip_prefix("bearer."));
    }
    let (scheme, token) = only(&head.headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Whether a browser asks if a page may send what it wants to send; only from listed origins does it get here.
pub fn is_preflight(head: &Parts) -> bool {
    let asks = head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks && head.method == axum::http::Method::OPTIONS && head.headers.contains_key(header::ORIGIN)
}

/// The header, if it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    /// `GET` unless a method is named; headers as `name: value`.
    fn check(request: &str, headers: &[&str]) -> Result<(), Refusal> {
        let hosts = ["box.example".to_owned(), "other.example:9".to_owned()];
        let origins = ["https://page.example".to_owned()];
        let address = "127.0.0.1:7878".parse().unwrap();
        let guard = Guard::new(Secret::new(TOKEN), address, false, &hosts, &origins);
        let (method, uri) = request.split_once(' ').unwrap_or(("GET", request));
        let mut builder = Request::builder().method(method).uri(uri);
        for line in headers {
            let (name, value) = line.split_once(": ").unwrap();
            builder = builder.header(name, value);
        }
        guard.check(&builder.body(()).unwrap().into_parts().0)
    }

    const HOST: &str = "Host: 127.0.0.1:7878";
    const AUTH: &str = "Authorization: Bearer 0123456789abcdef0123456789abcdef";

    #[test]
    fn who_has_the_token_and_names_this_machine_may_ask() {
        assert_eq!(check("/skills", &[HOST, AUTH]), Ok(()));
        for host in
            ["localhost:7878", "LOCALHOST:7878", "[::1]:7878", "box.example", "box.example:1", "other.example:9"]
        {
            assert_eq!(check("/skills", &[&format!("Host: {host}"), AUTH]), Ok(()), "{host}");
        }
        assert_eq!(check("/skills", &[HOST, &AUTH.replace("Bearer", "bearer")]), Ok(()));
        assert_eq!(check("/skills", &[HOST, AUTH, "Origin: https://page.example"]), Ok(()));
    }

    #[test]
    fn names_that_lead_here_by_somebody_elses_doing_are_refused() {
        let wrong = [
            "evil.example",
            "evil.example:7878",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost.evil.example:7878",
            "",
            ":7878",
        ];
        for host in wrong.into_iter().chain(["other.example", "xbox.example", "127.0.0.1:7878@evil.example"]) {
            assert_eq!(check("/skills", &[&format!("Host: {host}"), AUTH]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check("/skills", &[AUTH]), Err(Refusal::Host));
        assert_eq!(check("/skills", &[HOST, "Host: 127.0.0.1:7878", AUTH]), Err(Refusal::Host));
        assert_eq!(check("http://evil.example/skills", &[HOST, AUTH]), Err(Refusal::Host));
    }

    #[test]
    fn pages_that_are_not_listed_are_refused_whatever_they_know() {
        for origin in ["https://evil.example", "null", "http://page.example", "https://page.example.evil", ""] {
            assert_eq!(check("/skills", &[HOST, AUTH, &format!("Origin: {origin}")]), Err(Refusal::Origin), "{origin}");
        }
        let two = ["Origin: https://page.example", "Origin: https://page.example"];
        assert_eq!(check("/skills", &[HOST, AUTH, two[0], two[1]]), Err(Refusal::Origin));
        let asks = "Access-Control-Request-Method: POST";
        assert_eq!(check("OPTIONS /rpc", &[HOST, "Origin: https://evil.example", asks]), Err(Refusal::Origin));
        assert_eq!(check("OPTIONS /rpc", &[HOST, "Origin: https://page.example", asks]), Ok(()));
        assert_eq!(check("POST /rpc", &[HOST, "Origin: https://page.example", asks]), Err(Refusal::NoToken));
        assert_eq!(check("OPTIONS /rpc", &[HOST, asks]), Err(Refusal::NoToken));
    }

    #[test]
    fn a_token_has_to_be_there_right_and_in_its_place() {
        assert_eq!(check("/skills", &[HOST]), Err(Refusal::NoToken));
        for given in ["Basic eDp5", "Bearer", TOKEN] {
            assert_eq!(check("/skills", &[HOST, &format!("Authorization: {given}")]), Err(Refusal::NoToken), "{given}");
        }
        for token in ["x", &TOKEN[1..], &format!("{TOKEN}0"), &TOKEN.to_uppercase()] {
            let given = format!("Authorization: Bearer {token}");
            assert_eq!(check("/skills", &[HOST, &given]), Err(Refusal::WrongToken), "{token}");
        }
        assert_eq!(check("/skills", &[HOST, AUTH, AUTH]), Err(Refusal::NoToken));
        for query in ["token=x", "a=1&Access_Token=x", &format!("q={TOKEN}"), "key"] {
            assert_eq!(check(&format!("/skills?{query}"), &[HOST, AUTH]), Err(Refusal::TokenInUrl), "{query}");
        }
        assert_eq!(check(&format!("/skills/{TOKEN}"), &[HOST, AUTH]), Err(Refusal::TokenInUrl));
        assert_eq!(check("/sessions/a/messages?limit=3", &[HOST, AUTH]), Ok(()));
    }

    #[test]
    fn a_listed_page_gives_its_token_as_a_subprotocol_where_it_opens_a_socket() {
        let (page, upgrade) = ("Origin: https://page.example", "Upgrade: websocket");
        let protocols = |token: &str| format!("Sec-WebSocket-Protocol: open-think, bearer.{token}");
        assert_eq!(check("/rpc", &[HOST, page, upgrade, &protocols(TOKEN)]), Ok(()));
        assert_eq!(check("/rpc", &[HOST, page, upgrade, &protocols("x")]), Err(Refusal::WrongToken));
        assert_eq!(check("/rpc", &[HOST, page, upgrade, "Sec-WebSocket-Protocol: open-think"]), Err(Refusal::NoToken));
        assert_eq!(check("/rpc", &[HOST, page, &protocols(TOKEN)]), Err(Refusal::NoToken));
        assert_eq!(check("/rpc", &[HOST, upgrade, &protocols(TOKEN)]), Err(Refusal::NoToken));
        let evil = "Origin: https://evil.example";
        assert_eq!(check("/rpc", &[HOST, evil, upgrade, &protocols(TOKEN)]), Err(Refusal::Origin));
        let wrong = "Authorization: Bearer x";
        assert_eq!(check("/rpc", &[HOST, page, upgrade, &protocols(TOKEN), wrong]), Err(Refusal::WrongToken));
    }
}
