//! Where the skills of a turn and the turn itself take place, whoever decides.

use std::path::PathBuf;

use serde_json::json;

use super::fake::{Fake, Hang, Tell, done, text};
use super::*;
use crate::model::ClientPlace;

fn at(cwd: &str) -> Arc<ClientPlace> {
    Arc::new(ClientPlace { cwd: Some(cwd.into()), env: Vec::new(), ..ClientPlace::default() })
}

fn asking() -> Vec<Play> {
    plays([vec![Tell(Happening::Thread(thread("t1"))), call("c1", "wipe", "{}"), Hang]])
}

fn going_on(cwd: &'static str) -> Vec<Play> {
    let result = json!({ "cwd": cwd }).to_string();
    plays([
        vec![call("c1", "wipe", "{}"), expect("c1", &result), responded()],
        text(0, "Wiped."),
        vec![responded(), done()],
    ])
}

fn message_at(cwd: &str) -> Message {
    Message { place: at(cwd), ..message(Mode::Selective, "go") }
}

#[tokio::test(start_paused = true)]
async fn what_another_client_allows_runs_where_the_one_is_that_asked() {
    let fake = Fake::playing(vec![Ok(asking())]).then_takes_up(Some(Ok(going_on("/asks"))));
    let world = World::new(fake).await;
    let held = world.say(message_at("/asks")).await;
    let approve =
        Approve { place: at("/decides"), ..decide(&[&held.suggested_actions[0].id], Decision::Approve(None)) };
    world.approve(approve).await.unwrap();
    assert_eq!(*world.ran.lock().unwrap(), [json!({ "cwd": "/asks" })]);
    let begun = world.engine.tasks.lock().unwrap()[0].place.cwd.clone();
    let taken_up = world.engine.places.lock().unwrap()[0].cwd.clone();
    assert_eq!([begun, taken_up], [Some(PathBuf::from("/asks")), Some("/asks".into())]);
}

#[tokio::test(start_paused = true)]
async fn after_another_start_it_runs_where_the_one_is_that_decides() {
    let world = World::new(Fake::playing(vec![Ok(asking())])).await;
    let held = world.say(message_at("/asks")).await;
    let fake = Fake::playing(vec![]).then_takes_up(Some(Ok(going_on("/decides"))));
    let world = world.restarted(fake).await;
    let approve =
        Approve { place: at("/decides"), ..decide(&[&held.suggested_actions[0].id], Decision::Approve(None)) };
    world.approve(approve).await.unwrap();
    assert_eq!(*world.ran.lock().unwrap(), [json!({ "cwd": "/decides" })]);
}
