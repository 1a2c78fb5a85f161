//! Threads are loaded in the app-server before anybody says something in them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::app_server::AppServer;
use super::setting::{Setting, said, turn};

const PATIENCE: Duration = Duration::from_secs(60);

fn loaded(server: &AppServer) -> Vec<Value> {
    let listed = server.connect().ask("thread/loaded/list", json!({})).expect("threads");
    listed["data"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
}

/// Until so many are loaded.
fn wait_for_loaded(server: &AppServer, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let threads = loaded(server);
        if threads.len() == count {
            return threads;
        }
        assert!(Instant::now() < deadline, "{count} are to be loaded: {threads:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The threads that the model was asked in.
fn asked_in(setting: &Setting) -> Vec<Value> {
    let mut threads: Vec<Value> =
        setting.upstream.requests().iter().map(|body| body["prompt_cache_key"].clone()).collect();
    threads.dedup();
    threads
}

#[test]
fn after_a_start_and_after_the_server_was_gone() {
    let Some(mut setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "used", "auto", "hello");
    let thread = asked_in(&setting);
    assert!(client.hang_up().success());
    setting.server.kill();
    setting.server.revive();
    assert_eq!(loaded(&setting.server), Vec::<Value>::new());

    let mut client = setting.client();
    assert_eq!(wait_for_loaded(&setting.server, 1), thread, "the daemon has started");
    setting.server.kill();
    setting.server.revive();
    assert_eq!(wait_for_loaded(&setting.server, 1), thread, "the server is back");
    assert_eq!(said(&turn(&mut client, "used", "auto", "hello again")), "You said: hello again");
    assert_eq!(asked_in(&setting), thread);
}

#[test]
fn after_somebody_has_subscribed_to_the_session() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    client.ask("conductor.subscribe", json!({"sessionName": "new"})).expect("a subscription");
    let threads = wait_for_loaded(&setting.server, 1);
    client.events.clear();
    let params = json!({"sessionName": "new", "mode": "propose", "content": "hello"});
    assert_eq!(said(&client.ask("conductor.message", params).expect("an answer")), "You said: hello");
    assert_eq!(asked_in(&setting), threads);
}
