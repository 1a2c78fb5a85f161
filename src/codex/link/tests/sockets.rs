//! The ways over real sockets of this machine: TCP, TLS, Unix.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use url::Url;

use super::{Ear, Server, TIMEOUT, raw};
use crate::codex::link::socket::Bytestream;
use crate::codex::link::state::Limits;
use crate::codex::link::tcp::Trust;
use crate::codex::link::way::secured;
use crate::codex::link::{Endpoint, Fault, FaultKind, Link, LinkError, Settings};
use crate::config::{self, Secret};
use crate::policy::{HostPolicy, Redactor};
use crate::providers::http::Http;

fn open(endpoint: Result<Endpoint, Fault>) -> Link {
    let http = Http::new(HostPolicy::default(), config::Http::default(), Redactor::default());
    let settings = Settings { endpoint, timeout: TIMEOUT, http, redactor: Redactor::default() };
    Link::open(settings, Arc::new(Ear(mpsc::channel(64).0)))
}

fn websocket(address: &str, token: Option<&str>) -> Endpoint {
    Endpoint::WebSocket { url: Url::parse(address).unwrap(), token: token.map(Secret::new) }
}

/// Serves one connection, with one request, and gives the head of its upgrade.
async fn serve(stream: impl Bytestream + 'static) -> Vec<String> {
    let mut head = Vec::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        head.push(format!("{} {}", request.method(), request.uri()));
        let headers = request.headers().iter();
        head.extend(headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())));
        Ok(response)
    };
    let mut server = Server(accept_hdr_async(stream, note).await.unwrap());
    server.greet().await;
    server.serve("model/list", json!([])).await;
    head
}

async fn asks(link: &Link) {
    assert_eq!(link.request("model/list", &raw("{}"), None).await.unwrap().get(), "[]");
}

#[tokio::test]
async fn over_tcp_the_token_goes_along_and_no_origin_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let link = open(Ok(websocket(&format!("ws://{address}/any/path"), Some("capability-1\n"))));
    let served = async { serve(listener.accept().await.unwrap().0).await };
    let (head, ()) = tokio::join!(served, asks(&link));
    assert_eq!(head[0], "GET /any/path");
    assert!(head.contains(&"authorization: Bearer capability-1".to_owned()), "{head:?}");
    assert!(head.contains(&format!("host: {address}")), "{head:?}");
    assert!(!head.iter().any(|line| line.starts_with("origin:")), "{head:?}");
}

#[tokio::test]
async fn over_a_unix_socket_there_is_no_token() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let link = open(Ok(Endpoint::Unix { path }));
    let served = async { serve(listener.accept().await.unwrap().0).await };
    let (head, ()) = tokio::join!(served, asks(&link));
    assert!(!head.iter().any(|line| line.starts_with("authorization:")), "{head:?}");
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)).expect("a fixture")
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(fixture("certificate.der"))
}

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(fixture("key.der")));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate()], key).unwrap()))
}

fn trusting(roots: Vec<CertificateDer<'static>>, url: String) -> Link {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let trust = Trust::only(builder.with_root_certificates(store).with_no_client_auth());
    let way = secured(Url::parse(&url).unwrap(), trust);
    Link::over(way, Limits::default(), TIMEOUT, Redactor::default(), Arc::new(Ear(mpsc::channel(64).0)))
}

#[tokio::test]
async fn over_tls_a_certificate_is_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let link = trusting(vec![certificate()], url.clone());
    let served = async { serve(acceptor().accept(listener.accept().await.unwrap().0).await.unwrap()).await };
    let (head, ()) = tokio::join!(served, asks(&link));
    assert_eq!(head[0], "GET /");

    let link = trusting(Vec::new(), url);
    let refused = async { acceptor().accept(listener.accept().await.unwrap().0).await.is_err() };
    let params = raw("{}");
    let (refused, error) = tokio::join!(refused, link.request("model/list", &params, None));
    assert!(refused);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no secure connection") && error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn where_nothing_listens_it_is_said_how_to_start_it() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("none");
    for (endpoint, place) in [
        (websocket(&format!("ws://{free}"), None), free.to_string()),
        (Endpoint::Unix { path: path.clone() }, path.display().to_string()),
    ] {
        let link = open(Ok(endpoint));
        let error = link.request("model/list", &raw("{}"), None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no Codex app-server listens at {place}"));
        let fault = link.status().fault.unwrap();
        assert_eq!(fault.kind, FaultKind::NothingListening);
        assert!(fault.hint.as_ref().unwrap().contains("codex app-server --listen"));
    }
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = config::Config::default();
    config.codex.app_server.url = Some(format!("ws://{address}").parse().unwrap());
    let settings = Settings::from_config(&config, &HostPolicy::default(), Redactor::default()).unwrap();
    let link = Link::open(settings, Arc::new(Ear(mpsc::channel(64).0)));
    let error = link.request("model/list", &raw("{}"), None).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(link.status().fault.unwrap().kind, FaultKind::HostNotAllowed);
}

/// What is said of a server that says this, to a request or before one comes.
async fn found(words: &'static [u8], speaks_first: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        if !speaks_first {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        }
        stream.write_all(words).await.unwrap();
        // It would go on for ever.
        std::future::pending::<()>().await;
    };
    let link = open(Ok(websocket(&address, None)));
    let request = async {
        let params = raw("{}");
        tokio::select! {
            () = serve => unreachable!("it goes on"),
            error = link.request("model/list", &params, None) => error.unwrap_err(),
        }
    };
    let LinkError::Down(fault) = request.await else { panic!("it is no app-server") };
    assert_eq!(fault.kind, FaultKind::Protocol);
    format!("{fault}; {}", fault.hint.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn of_something_else_that_listens_it_is_told_at_once_what_it_is() {
    let is_it = "is CODEX_APP_SERVER_URL that of a Codex app-server?";
    let found_one = |what: &str, hint: &str| format!("what listens there {what}; {hint}");
    let greets = r#"speaks something else than WebSocket: it says "220 mail.example ESMTP""#;
    assert_eq!(found(b"220 mail.example ESMTP\r\n", true).await, found_one(greets, is_it));
    let binary = found(b"J\0\0\0\n8.0.36\0\x10abc", true).await;
    assert_eq!(binary, found_one("speaks something else than WebSocket", is_it));
    let page = b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nno page";
    assert_eq!(found(page, false).await, found_one("answered 404 to the upgrade: no page", is_it));
    let old = b"HTTP/1.0 404 File not found\r\n\r\n";
    assert_eq!(found(old, false).await, found_one("answered HTTP/1.0 404 File not found to the upgrade", is_it));
    let tls = found(b"\x15\x03\x01\0\x02\x02F", false).await;
    assert_eq!(tls, found_one("speaks TLS, and was spoken to without", "write wss:// in CODEX_APP_SERVER_URL"));
}
