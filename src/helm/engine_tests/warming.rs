//! Threads that are made ready ahead of need.

use super::fake::{Fake, Script, done, text};
use super::*;
use crate::sessions::{ThreadKind, Write};

fn answer(thread_of_it: &str) -> Script {
    let told = Tell(Happening::Thread(thread(thread_of_it)));
    Ok(plays([vec![told], text(0, "Hm."), vec![responded(), done()]]))
}

fn in_session(session: &str, mode: Mode) -> Message {
    Message { session: session.to_owned(), ..message(mode, "hello") }
}

impl World {
    /// Session, mode and thread of each place that was made ready.
    fn warmed(&self) -> Vec<(String, Mode, Option<String>)> {
        let warmed = self.engine.warmed.lock().unwrap();
        warmed.iter().map(|place| (place.session.clone(), place.mode, place.thread.clone().map(|t| t.id))).collect()
    }

    async fn warmed_once(&self) {
        while self.warmed().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_sessions_used_last_come_first() {
    let world = World::new(Fake::playing(vec![answer("a1"), answer("b1"), answer("a2")])).await;
    world.say(in_session("a", Mode::Propose)).await;
    world.say(in_session("b", Mode::Auto)).await;
    world.say(in_session("a", Mode::Selective)).await;
    let world = world.restarted(Fake::playing(vec![])).await;
    world.conductor.warm_threads(2).await;
    let expected = [
        ("a".to_owned(), Mode::Selective, Some("a2".to_owned())),
        ("b".to_owned(), Mode::Selective, Some("b1".to_owned())),
    ];
    assert_eq!(world.warmed(), expected);
    assert_eq!(world.engine.warmed.lock().unwrap()[0].tools.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_new_takes_the_place_of_the_one_before() {
    let world = World::new(Fake::playing(vec![answer("t1"), answer("t2")])).await;
    world.say(message(Mode::Auto, "one")).await;
    *world.engine.warms.lock().unwrap() = Some(thread("t2"));
    world.conductor.warm_threads(1).await;
    let kept = world.store.threads("s").await.unwrap().work.unwrap();
    assert_eq!(kept, thread("t2"));
    world.say(message(Mode::Auto, "two")).await;
    let told = world.engine.told();
    assert_eq!(told[1], ["user: one", "assistant: Hm.", "user: two"], "a new thread knows nothing");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_there_yet_has_its_thread_ready() {
    let world = World::new(Fake::playing(vec![Ok(plays([text(0, "Hm."), vec![responded(), done()]]))])).await;
    *world.engine.warms.lock().unwrap() = Some(thread("early"));
    world.conductor.warm("s", None);
    world.warmed_once().await;
    while !world.conductor.has_warmed("s") {
        tokio::task::yield_now().await;
    }
    assert!(world.store.session("s").await.unwrap().is_none(), "nobody has said anything");
    world.conductor.warm("s", None);
    world.say(message(Mode::Propose, "hello")).await;
    let used = world.engine.tasks.lock().unwrap()[0].place.thread.clone();
    assert_eq!(used, Some(thread("early")));
    assert_eq!(world.store.threads("s").await.unwrap().propose.unwrap().id, "early");
    assert_eq!(world.warmed().len(), 1, "once is enough");
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_a_session_has_the_thread_used_last_made_ready() {
    let world = World::new(Fake::playing(vec![answer("p"), answer("w")])).await;
    world.say(message(Mode::Auto, "one")).await;
    world.say(message(Mode::Propose, "two")).await;
    world.conductor.warm("s", None);
    world.warmed_once().await;
    assert_eq!(world.warmed(), [("s".to_owned(), Mode::Propose, Some("w".to_owned()))]);
    assert_eq!(world.store.threads_used_last(9).await.unwrap()[1].1, ThreadKind::Work);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_takes_its_threads_along() {
    let world = World::new(Fake::playing(vec![answer("t1")])).await;
    world.say(message(Mode::Auto, "one")).await;
    world.conductor.delete("s").await.unwrap();
    assert!(world.store.threads_used_last(9).await.unwrap().is_empty());
    let seen = Write::Seen { session: "s".to_owned(), mode: Mode::Auto, turn_id: "t".to_owned() };
    world.store.write(vec![seen]).await.unwrap();
}
