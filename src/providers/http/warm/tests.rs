use std::collections::BTreeSet;
use std::time::Duration;

use tokio::net::TcpListener;
use url::Url;

use super::{Link, LinkState};
use crate::config;
use crate::policy::{HostPolicy, Redactor};
use crate::providers::http::{Http, HttpRequest};
use crate::providers::loopback::{Answer, Loopback, http};

/// Gives way to the other tasks until it holds.
pub(super) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

pub(super) async fn settled(link: &Link) -> LinkState {
    until(|| !matches!(link.view().state, LinkState::Unknown | LinkState::Connecting)).await;
    link.view().state
}

fn often() -> config::Http {
    config::Http { warm_interval: Duration::from_millis(1), ..config::Http::default() }
}

#[tokio::test]
async fn the_first_request_finds_the_connection_open() {
    for status in [200, 404, 405, 500] {
        let server = Loopback::start(vec![Answer::whole(status, "", ""), Answer::json(200, "", "{}")]).await;
        let http = http(&[&server], config::Http::default());
        let link = http.link(&server.url.join("v1/chat/completions?key=k").unwrap());
        assert_eq!((link.view().state, link.view().probed), (LinkState::Unknown, None));
        let _warmth = http.keep_warm();
        assert_eq!(settled(&link).await, LinkState::Warm);
        assert!(matches!(link.view().probed, Some((_, Some(_)))), "it was timed");
        let request = HttpRequest::get(server.url.join("v1/models").unwrap());
        http.send(request).await.unwrap().bytes(99).await.unwrap();
        assert_eq!(server.connections(), 1, "{status}");
        let asked = server.asked();
        assert!(asked[0].starts_with("HEAD / HTTP/1.1\r\n") && asked[1].starts_with("GET /v1/models "), "{asked:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_opened_again() {
    let server = Loopback::start(vec![Answer::raw("HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n")]).await;
    let http = http(&[&server], often());
    let link = http.link(&server.url);
    let _warmth = http.keep_warm();
    until(|| server.connections() >= 3).await;
    assert!(server.asked().iter().all(|request| request.starts_with("HEAD / ")));
    assert_eq!(settled(&link).await, LinkState::Warm);
}

#[tokio::test]
async fn what_is_idle_is_probed_over_the_connection_it_has() {
    let server = Loopback::start(vec![Answer::whole(404, "", "")]).await;
    let http = http(&[&server], often());
    http.link(&server.url);
    let _warmth = http.keep_warm();
    until(|| server.asked().len() >= 3).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn links_are_one_an_origin_and_end_with_their_warmth() {
    let server = Loopback::start(vec![Answer::whole(200, "", "")]).await;
    let http = http(&[&server], config::Http::default());
    let link = http.link(&server.url.join("one").unwrap());
    assert!(std::sync::Arc::ptr_eq(&link, &http.link(&server.url.join("two").unwrap())));
    drop(http.keep_warm());
    assert_eq!((link.view().state, server.connections()), (LinkState::Unknown, 0));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let other = Loopback::start(vec![Answer::whole(200, "", "")]).await;
    let moved = Answer::whole(307, &format!("location: {}\r\n", other.url), "");
    let server = Loopback::start(vec![moved]).await;
    let http = http(&[&server, &other], config::Http::default());
    let link = http.link(&server.url);
    let _warmth = http.keep_warm();
    assert_eq!((settled(&link).await, other.connections()), (LinkState::Warm, 0));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_connected_to() {
    let server = Loopback::start(vec![Answer::whole(200, "", "")]).await;
    let http = Http::new(HostPolicy::default(), often(), Redactor::default());
    let link = http.link(&server.url);
    let mut warmth = http.keep_warm();
    warmth.tasks.join_next().await.expect("there is one").expect("its task ends, for nothing can change");
    let view = link.view();
    assert_eq!((view.state, server.connections()), (LinkState::Failed, 0));
    assert!(view.error.unwrap().ends_with("is not on the list of allowed hosts"));
}

/// The pool's way with requests that find no idle connection, which the comment on top of this folder relies on.
#[tokio::test]
async fn a_request_does_not_wait_for_a_probe() {
    let server = Loopback::start(vec![Answer::raw("").then_hold(), Answer::json(200, "", "{}")]).await;
    let http = http(&[&server], config::Http::default());
    let link = http.link(&server.url);
    let _warmth = http.keep_warm();
    until(|| server.asked().len() == 1).await;
    assert_eq!(link.view().state, LinkState::Connecting);
    let answer = http.send(HttpRequest::get(server.url.clone())).await.unwrap();
    assert_eq!((answer.status, server.connections()), (200, 2));
    assert_eq!(link.view().state, LinkState::Warm, "it is, whatever becomes of the probe");
}

/// A port that refuses answers at once, so that the clock can be let run ahead.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_down_is_asked_ever_more_rarely() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let policy = HostPolicy::new(vec!["127.0.0.1".parse().unwrap()]);
    let http = Http::new(policy, config::Http::default(), Redactor::default());
    let link = http.link(&Url::parse(&format!("http://{closed}/v1")).unwrap());
    let _warmth = http.keep_warm();
    let mut probes = BTreeSet::new();
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        probes.extend(link.view().probed.map(|(at, _)| at));
    }
    assert!((7..=12).contains(&probes.len()), "{}", probes.len());
    let view = link.view();
    assert_eq!(view.state, LinkState::Failed);
    assert!(view.error.unwrap().starts_with("could not connect to 127.0.0.1:"));
    assert!(matches!(view.probed, Some((_, None))));
}

#[tokio::test]
async fn requests_tell_how_it_stands_as_probes_do() {
    let server = Loopback::start(vec![Answer::raw(""), Answer::json(200, "", "{}")]).await;
    let http = http(&[&server], config::Http::default());
    let link = http.link(&server.url);
    http.send(HttpRequest::get(server.url.clone())).await.err().expect("it hangs up");
    assert_eq!(link.view().state, LinkState::Failed);
    assert!(link.view().error.unwrap().contains("broke before an answer"));
    http.send(HttpRequest::get(server.url.clone())).await.unwrap();
    assert_eq!((link.view().state, link.view().error), (LinkState::Warm, None));
}
