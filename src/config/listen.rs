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

impl Listen {
    /// Why nobody can listen there, with the way out.
    ///
    /// # Errors
    /// In a clear voice to every machine around, or in TLS without what it takes.
    pub fn check(self, tls: &TlsFiles) -> Result<(), String> {
        if !self.tls {
            let open = || {
                format!(
                    "{self} is reached from other machines, and what is said there could be read on the way: listen at \
                     http://127.0.0.1:PORT, or at https:// with tls_cert and tls_key under [daemon]"
                )
            };
            return self.address.ip().is_loopback().then_some(()).ok_or_else(open);
        }
        let (Some(cert), Some(key)) = (&tls.cert, &tls.key) else {
            return Err(format!(
                "{self} needs a certificate: set tls_cert and tls_key under [daemon] to PEM files, or listen at \
                 http://127.0.0.1:PORT"
            ));
        };
        [("tls_cert", cert), ("tls_key", key)].into_iter().try_for_each(|(name, file)| {
            let unread = |why: &str| format!("{name} cannot be read from {}: {why}", file.display());
            let found = std::fs::metadata(file).and_then(|found| std::fs::File::open(file).map(|_| found));
            match found {
                Ok(found) if found.is_file() => Ok(()),
                Ok(_) => Err(unread("it is no file")),
                Err(error) => Err(unread(&error.to_string())),
            }
        })
    }
}

/// A web page's origin as browsers send it, or what it would have to be.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let shape = "must be origins as browsers send them, such as https://example.com or http://localhost:3000: no path, \
                 no * and no port that goes without saying";
    let bare = text.trim_end_matches('/');
    let url = Url::parse(bare).map_err(|_| shape)?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty() && !host.contains('*')) else {
        return Err(shape.to_owned());
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let sent = format!("{}://{host}{port}", url.scheme());
    if bare.eq_ignore_ascii_case(&sent) { Ok(sent) } else { Err(shape.to_owned()) }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::{Listen, TlsFiles, origin};

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

    #[test]
    fn nobody_listens_for_other_machines_without_a_certificate() {
        let said = |listen: &str, cert: Option<&str>| {
            let tls = TlsFiles { cert: cert.map(Into::into), key: cert.map(Into::into) };
            listen.parse::<Listen>().expect("an address").check(&tls).err().unwrap_or_default()
        };
        let here = file!();
        assert_eq!([said("http://127.0.0.1:1", None), said("https://0.0.0.0:1", Some(here))], ["", ""]);
        assert!(said("http://0.0.0.0:1", Some(here)).contains("other machines"));
        assert!(said("https://127.0.0.1:1", None).contains("set tls_cert and tls_key"));
        for wrong in ["/nowhere.pem", "/"] {
            let said = said("https://127.0.0.1:1", Some(wrong));
            assert!(said.starts_with(&format!("tls_cert cannot be read from {wrong}: ")), "{said}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for (text, sent) in [
            ("https://example.com", "https://example.com"),
            ("HTTP://LocalHost:3000/", "http://localhost:3000"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("chrome-extension://abc", "chrome-extension://abc"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(sent), "{text}");
        }
        for wrong in ["*", "evil", "null", "", "https://*.example.com", "https://example.com:443", "https://a.b/c"] {
            let why = origin(wrong).expect_err(wrong);
            assert!(why.contains("such as https://example.com"), "{wrong}: {why}");
        }
        assert!(origin("https://u@example.com").is_err() && origin("https://example.com?x").is_err());
    }
}
