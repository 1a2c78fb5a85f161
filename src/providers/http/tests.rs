use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use tokio::time::Instant;
use url::Url;

use super::{Http, HttpRequest};
use crate::config::{self, Secret};
use crate::model::{ErrorKind, ProviderError};
use crate::policy::{HostPolicy, Redactor};
use crate::providers::loopback::{Answer, Loopback, http};

const SHORT: Duration = Duration::from_millis(30);

fn with_key(request: HttpRequest) -> HttpRequest {
    request.secret(AUTHORIZATION, "Bearer ", &Secret::new("sk-secret-1")).unwrap()
}

fn moved(status: u16, to: &str) -> Answer {
    Answer::whole(status, &format!("location: {to}\r\n"), "")
}

async fn fault(http: &Http, request: HttpRequest) -> ProviderError {
    http.send(request).await.err().expect("it fails")
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_named() {
    let http = Http::new(HostPolicy::default(), config::Http::default(), Redactor::default());
    let error = fault(&http, HttpRequest::get(Url::parse("http://127.0.0.1:9/x").unwrap())).await;
    assert_eq!(error.kind, ErrorKind::HostNotAllowed);
    assert_eq!(error.message, "the host 127.0.0.1:9 is not on the list of allowed hosts");
    assert!(error.hint.unwrap().contains("add 127.0.0.1:9 to ALLOWED_HOSTS"));
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_not_listed_is_refused() {
    let other = Loopback::start(vec![Answer::json(200, "", "{}")]).await;
    let server = Loopback::start(vec![moved(307, other.url.as_str())]).await;
    let error = fault(&http(&[&server], config::Http::default()), HttpRequest::get(server.url.clone())).await;
    assert_eq!(error.kind, ErrorKind::HostNotAllowed);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Loopback::start(vec![Answer::json(200, "", "{}")]).await;
    let server = Loopback::start(vec![moved(302, "/here"), moved(302, other.url.as_str())]).await;
    let request = with_key(HttpRequest::get(server.url.clone()));
    let answer = http(&[&server, &other], config::Http::default()).send(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(server.asked().iter().all(|request| request.contains("Bearer sk-secret-1")));
    assert!(!other.asked()[0].contains("sk-secret-1"));
}

#[tokio::test]
async fn a_secret_body_stays_with_its_origin() {
    let other = Loopback::start(vec![Answer::json(200, "", "{}")]).await;
    let server = Loopback::start(vec![moved(307, "/here"), moved(307, other.url.as_str())]).await;
    let request = HttpRequest::post_form(server.url.clone(), [("token", "rt-1"), ("to", "a b&c")]).confined();
    let error = fault(&http(&[&server, &other], config::Http::default()), request).await;
    assert!(error.message.contains("moved to http://127.0.0.1:"), "{error}");
    assert!(server.asked()[1].ends_with("token=rt-1&to=a+b%26c"), "{:?}", server.asked());
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_post_goes_on_as_a_post_or_not_at_all() {
    let server = Loopback::start(vec![moved(308, "/there"), Answer::json(200, "", "{}")]).await;
    let client = http(&[&server], config::Http::default());
    let post = with_key(HttpRequest::post_json(server.url.clone(), "{\"a\":1}"));
    client.send(post.clone()).await.unwrap();
    let second = &server.asked()[1];
    assert!(second.starts_with("POST /there") && second.ends_with("{\"a\":1}"), "{second}");

    let server = Loopback::start(vec![moved(301, "/new")]).await;
    let client = http(&[&server], config::Http::default());
    let error = fault(&client, HttpRequest { url: server.url.clone(), ..post }).await;
    assert!(error.message.ends_with(&format!("moved to {}new", server.url)), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn redirects_come_to_an_end() {
    let server = Loopback::start(vec![moved(307, "/again")]).await;
    let error = fault(&http(&[&server], config::Http::default()), HttpRequest::get(server.url.clone())).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn no_answer_is_a_timeout() {
    let server = Loopback::start(vec![Answer::raw("").then_hold()]).await;
    let settings = config::Http { response_timeout: SHORT, ..config::Http::default() };
    let error = fault(&http(&[&server], settings), HttpRequest::get(server.url.clone())).await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("did not begin to answer within 0.03 s"), "{error}");
}

#[tokio::test]
async fn the_deadline_holds_before_and_during_the_answer() {
    let part = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc";
    for script in ["", part] {
        let server = Loopback::start(vec![Answer::raw(script).then_hold()]).await;
        let client = http(&[&server], config::Http::default());
        let request = HttpRequest::get(server.url.clone()).deadline(Some(Instant::now() + SHORT));
        let outcome = async { client.send(request).await?.bytes(99).await }.await;
        let error = outcome.unwrap_err();
        assert!(error.message.starts_with("the time for this call ran out"), "{error}");
    }
}

#[tokio::test]
async fn silence_in_an_answer_is_a_timeout_and_a_cut_a_truncation() {
    let part = Answer::raw("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc");
    let long = config::Http::default().idle_timeout;
    let cases = [(part.clone().then_hold(), SHORT, ErrorKind::Timeout), (part, long, ErrorKind::Truncated)];
    for (answer, idle_timeout, kind) in cases {
        let server = Loopback::start(vec![answer]).await;
        let settings = config::Http { idle_timeout, ..config::Http::default() };
        let response = http(&[&server], settings).send(HttpRequest::get(server.url.clone())).await.unwrap();
        assert_eq!(response.bytes(99).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn an_answer_may_be_too_long() {
    let server = Loopback::start(vec![Answer::json(200, "", "{\"long\":true}")]).await;
    let response = http(&[&server], config::Http::default()).send(HttpRequest::get(server.url.clone())).await.unwrap();
    assert_eq!(response.bytes(4).await.unwrap_err().kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let server = Loopback::start(vec![Answer::raw("")]).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let policy = HostPolicy::new(vec!["127.0.0.1".parse().unwrap()]);
    let client = Http::new(policy, config::Http::default(), Redactor::default());
    let error = fault(&client, HttpRequest::get(Url::parse(&format!("http://{closed}/")).unwrap())).await;
    assert_eq!((error.kind, error.retryable), (ErrorKind::Network, true));
    assert!(error.message.starts_with(&format!("could not connect to {closed}: ")), "{error}");
    let error = fault(&client, HttpRequest::get(server.url.clone())).await;
    assert_eq!(error.kind, ErrorKind::Network);
}

#[test]
fn a_key_that_cannot_be_sent_is_not_shown() {
    let request = HttpRequest::get(Url::parse("http://h/").unwrap());
    let error = request.secret(AUTHORIZATION, "Bearer ", &Secret::new("sk-a\nb")).unwrap_err();
    assert!(!error.message.contains("sk-a"));
    let request = with_key(HttpRequest::get(Url::parse("http://h/").unwrap()));
    assert!(!format!("{request:?}").contains("sk-secret-1"));
}

#[tokio::test]
async fn a_secure_connection_to_a_plain_server_fails_in_words() {
    let server = Loopback::start(vec![Answer::raw("no TLS here\r\n")]).await;
    let mut url = server.url.clone();
    url.set_scheme("https").unwrap();
    let error = fault(&http(&[&server], config::Http::default()), HttpRequest::get(url)).await;
    // Where the system has no certificates it is the set-up that is named.
    assert!(matches!(error.kind, ErrorKind::Network | ErrorKind::Config), "{error}");
}
