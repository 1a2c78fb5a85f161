//! Where HTTP is listened for, and for whom.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

/// `http://127.0.0.1:7878`, `https://192.0.2.1:443`; port 0 takes any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// The certificate with its chain, and its key, as PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "must be an address such as http://127.0.0.1:7878".to_owned();
        let url = Url::parse(text).map_err(|_| shape())?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(shape()),
        };
        let bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{}, with nothing behind the port", shape()));
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => return Err(format!("{}: a name other than localhost may be any machine", shape())),
        };
        let port = url.port_or_known_default().ok_or_else(shape)?;
        Ok(Self { address: SocketAddr::new(ip, port), tls })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = text.parse::<Listen>().map_or_else(|why| why, |listen| listen.to_string());
        assert!(shown.starts_with(expected), "{text}: {shown}");
    }

    #[test]
    fn addresses_are_those_of_a_machine_and_not_its_names() {
        check("http://127.0.0.1:7878", "http://127.0.0.1:7878");
        check("http://localhost:0", "http://127.0.0.1:0");
        check("http://[::1]:7878/", "http://[::1]:7878");
        check("https://192.0.2.1", "https://192.0.2.1:443");
        for wrong in ["7878", "127.0.0.1:7878", "tcp://127.0.0.1:1", "http://example.com:1", "http://127.0.0.1:1/rpc"] {
            check(wrong, "must be an address such as http://127.0.0.1:7878");
        }
        for wrong in ["http://u:p@127.0.0.1:1", "http://127.0.0.1:1?token=x", "http://127.0.0.1:1/#x"] {
            check(wrong, "must be an address such as http://127.0.0.1:7878, with nothing");
        }
    }
}
