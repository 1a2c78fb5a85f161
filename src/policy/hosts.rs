//! The outbound allow-list.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// `api.example.com`, `*.example.com` (any subdomain, not the domain itself), either with `:port`.
/// Without a port any port is allowed. Compared case-insensitively; an IPv6 address may stand in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    wildcard: bool,
    host: String,
    port: Option<u16>,
}

/// Nothing is allowed that no pattern names.
#[derive(Clone, Debug, Default)]
pub struct HostPolicy {
    patterns: Vec<HostPattern>,
}

impl HostPolicy {
    pub fn new(patterns: Vec<HostPattern>) -> Self {
        Self { patterns }
    }

    /// Whether a request may go to this URL: `http` or `https`, no user info, and a host on the list.
    /// The error is the `host:port` that is not allowed, for the message.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let port = url.port_or_known_default();
        let name = url.host_str().unwrap_or_default();
        let plain = url.username().is_empty() && url.password().is_none() && matches!(url.scheme(), "http" | "https");
        if plain && self.patterns.iter().any(|pattern| pattern.matches(name, port)) {
            return Ok(());
        }
        Err(match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        })
    }
}

impl HostPattern {
    /// The host and port of a setting that is a URL.
    pub fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?.to_ascii_lowercase();
        Some(Self { wildcard: false, host, port: url.port_or_known_default() })
    }

    fn matches(&self, host: &str, port: Option<u16>) -> bool {
        if self.port.is_some() && self.port != port {
            return false;
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self.wildcard {
            false => host == self.host,
            true => host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |why: &str| Err(format!("'{text}' is not a host: {why}"));
        if text.contains("://") || text.contains('/') {
            return fault("give the name alone, as in api.example.com, *.example.com or localhost:8080");
        }
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // Borrow the URL parser for names, IPv6 brackets and ports.
        let Ok(url) = Url::parse(&format!("http://{rest}/")) else { return fault("it cannot be parsed") };
        let explicit_port = rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let port = match explicit_port {
            Some((_, port)) => match port.parse() {
                Ok(port) => Some(port),
                Err(_) => return fault("its port is not a number from 1 to 65535"),
            },
            None => None,
        };
        match url.host_str() {
            Some(host) if !host.contains('*') => Ok(Self { wildcard, host: host.to_owned(), port }),
            _ => fault("a * may stand only as the first label"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, url: &str) -> bool {
        let policy = HostPolicy::new(vec![pattern.parse().expect("a pattern")]);
        policy.check(&Url::parse(url).expect("a URL")).is_ok()
    }

    #[test]
    fn exact_names_allow_any_port_unless_one_is_named() {
        assert!(check("api.example.com", "https://api.example.com/v1"));
        assert!(check("API.example.com", "https://api.EXAMPLE.com:8443/v1"));
        assert!(check("localhost:8080", "http://localhost:8080/"));
        assert!(check("example.com:443", "https://example.com/"));
        assert!(!check("localhost:8080", "http://localhost:8081/"));
        assert!(!check("api.example.com", "https://api.example.com.evil.org/"));
    }

    #[test]
    fn wildcards_cover_subdomains_only() {
        assert!(check("*.example.com", "https://a.example.com/"));
        assert!(check("*.example.com", "https://a.b.example.com/"));
        assert!(!check("*.example.com", "https://example.com/"));
        assert!(!check("*.example.com", "https://badexample.com/"));
    }

    #[test]
    fn user_info_and_other_schemes_are_refused() {
        assert!(!check("example.com", "https://example.com@evil.org/"));
        assert!(!check("example.com", "https://user:pw@example.com/"));
        assert!(!check("example.com", "ftp://example.com/"));
    }

    #[test]
    fn addresses() {
        assert!(check("[::1]:8080", "http://[::1]:8080/"));
        assert!(check("127.0.0.1", "http://127.0.0.1:9/"));
        assert!(!check("127.0.0.1", "http://127.0.0.2:9/"));
    }

    #[test]
    fn patterns_that_are_not_hosts_say_why() {
        for bad in ["https://example.com", "a.*.com", "example.com:http", "*", ""] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }
}
