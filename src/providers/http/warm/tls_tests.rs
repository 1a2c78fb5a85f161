//! Links over TLS, with a certificate that nobody else trusts: `tests/fixtures/tls`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use reqwest::Certificate;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use url::Url;

use super::LinkState;
use super::tests::{settled, until};
use crate::config;
use crate::policy::{HostPolicy, Redactor};
use crate::providers::http::{Http, HttpRequest};

const CERTIFICATE: &str = "certificate.der";
/// It guards nothing.
const KEY: &str = "key.der";

struct Server {
    url: Url,
    /// One for each connection that may shake hands.
    gate: Arc<Semaphore>,
    log: Arc<Mutex<Log>>,
}

#[derive(Clone, Default)]
struct Log {
    connections: usize,
    /// Method and path.
    asked: Vec<String>,
}

impl Server {
    async fn start(protocol: &str) -> Self {
        let (certificate, key) = (CertificateDer::from(fixture(CERTIFICATE)), PrivatePkcs8KeyDer::from(fixture(KEY)));
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut settings = builder.with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key)).unwrap();
        settings.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(settings));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("https://{}/v1", listener.local_addr().unwrap())).unwrap();
        let (gate, log) = (Arc::new(Semaphore::new(0)), Arc::<Mutex<Log>>::default());
        let server = Self { url, gate: Arc::clone(&gate), log: Arc::clone(&log) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&gate), Arc::clone(&log)));
            }
        });
        server
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    fn http(&self, roots: Vec<Certificate>) -> Http {
        let policy = HostPolicy::new(vec!["127.0.0.1".parse().unwrap()]);
        Http::trusting(Some(roots), policy, config::Http::default(), Redactor::default())
    }
}

fn root() -> Vec<Certificate> {
    vec![Certificate::from_der(&fixture(CERTIFICATE)).unwrap()]
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)).expect("a fixture")
}

/// Answers everything with an empty 200, in the protocol that was agreed on.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, gate: Arc<Semaphore>, log: Arc<Mutex<Log>>) -> Option<()> {
    let _may = gate.acquire().await.ok()?;
    let stream = acceptor.accept(stream).await.ok()?;
    let note = |asked: String| log.lock().unwrap().asked.push(asked);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let mut connection = h2::server::handshake(stream).await.ok()?;
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            note(format!("{} {}", request.method(), request.uri().path()));
            respond.send_response(Default::default(), true).ok()?;
        }
        return Some(());
    }
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        note(head.split(' ').take(2).collect::<Vec<_>>().join(" "));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        stream.flush().await.ok()?;
    }
}

async fn get(http: &Http, server: &Server) -> u16 {
    http.send(HttpRequest::get(server.url.clone())).await.expect("an answer").status
}

#[tokio::test]
async fn the_first_request_finds_hands_shaken() {
    for protocol in ["h2", "http/1.1"] {
        let server = Server::start(protocol).await;
        server.open();
        let http = server.http(root());
        let link = http.link(&server.url);
        let _warmth = http.keep_warm();
        assert_eq!(settled(&link).await, LinkState::Warm, "{protocol}");
        assert_eq!(get(&http, &server).await, 200);
        let log = server.log();
        assert_eq!((log.connections, log.asked), (1, vec!["HEAD /".to_owned(), "GET /v1".to_owned()]), "{protocol}");
    }
}

/// It opens one of its own, for which of the two is faster cannot be known; over HTTP/2 only one of them stays.
#[tokio::test]
async fn a_request_that_comes_amid_the_handshake_is_served() {
    let server = Server::start("h2").await;
    let http = server.http(root());
    let link = http.link(&server.url);
    let _warmth = http.keep_warm();
    until(|| server.log().connections == 1).await;
    let opened = async {
        until(|| server.log().connections == 2).await;
        server.open();
    };
    let (status, ()) = tokio::join!(get(&http, &server), opened);
    assert_eq!((status, link.view().state), (200, LinkState::Warm));
    until(|| server.log().asked.len() == 2).await;
    for _ in 0..3 {
        assert_eq!(get(&http, &server).await, 200);
    }
    assert_eq!(server.log().connections, 2);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_of() {
    let server = Server::start("h2").await;
    server.open();
    let http = server.http(Vec::new());
    let link = http.link(&server.url);
    let _warmth = http.keep_warm();
    assert_eq!(settled(&link).await, LinkState::Failed);
    let error = link.view().error.unwrap();
    assert!(error.starts_with("could not connect to 127.0.0.1:") && error.contains("certificate"), "{error}");
    assert_eq!(server.log().asked.len(), 0);
}
