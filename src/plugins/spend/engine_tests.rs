//! The meter around an engine that plays a script.

use std::collections::VecDeque;

use super::*;
use crate::model::{Answer, Block, Ending, Engine, Happening, Mode, Place, Run, Task, Thread, ToolCall};

type Script = Vec<Result<Happening, ProviderError>>;

/// Says this in every turn, and then nothing more.
#[derive(Default)]
struct Playing {
    script: Script,
    begun: AtomicUsize,
    interrupted: Arc<AtomicUsize>,
}

struct Play(VecDeque<Result<Happening, ProviderError>>, Arc<AtomicUsize>);

#[async_trait]
impl Engine for Playing {
    fn id(&self) -> &str {
        "codex"
    }

    fn default_model(&self) -> Option<String> {
        Some("m".to_owned())
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        place.thread
    }

    async fn begin(&self, _: Task) -> Result<Box<dyn Run>, ProviderError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Play(self.script.clone().into(), Arc::clone(&self.interrupted))))
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        self.begin(Task { place, messages: Vec::new(), known: 0 }).await.map(Some)
    }
}

#[async_trait]
impl Run for Play {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        match self.0.pop_front() {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }

    async fn answer(&mut self, _: &str, _: Answer) -> Result<(), ProviderError> {
        Ok(())
    }

    fn steer(&mut self, _: u64, _: &[Block]) {}

    async fn interrupt(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }

    async fn leave(self: Box<Self>) {}
}

fn said(text: &str) -> Result<Happening, ProviderError> {
    Ok(Happening::Said(Delta::Text { index: 0, text: text.to_owned() }))
}

fn responded(input: u64, output: u64) -> Result<Happening, ProviderError> {
    Ok(Happening::Responded(usage(input, output)))
}

fn called() -> Result<Happening, ProviderError> {
    let (id, name) = ("c1".to_owned(), "look".to_owned());
    Ok(Happening::Call(ToolCall { id, name, arguments: String::new(), opaque: None }))
}

fn done() -> Result<Happening, ProviderError> {
    Ok(Happening::Ended(Ending::Done))
}

fn place() -> Place {
    let (session, system) = ("s".to_owned(), String::new());
    Place { session, mode: Mode::Auto, thread: None, model: None, cwd: None, system, tools: Arc::default() }
}

fn engine(script: Script) -> Arc<Playing> {
    Arc::new(Playing { script, ..Playing::default() })
}

impl World {
    async fn begin(&self, engine: &Arc<Playing>) -> Result<Box<dyn Run>, ProviderError> {
        let messages = vec![(1, Message::text(Role::User, "sixteen bytes it"))];
        self.meter.watch_engine(engine.clone()).begin(Task { place: place(), messages, known: 0 }).await
    }
}

/// Until its end, or why it was ended; what happened on the way.
async fn play(run: &mut Box<dyn Run>) -> (Vec<Happening>, Option<ProviderError>) {
    let mut happened = Vec::new();
    loop {
        match run.next().await {
            Ok(Happening::Ended(_)) => return (happened, None),
            Ok(happening) => happened.push(happening),
            Err(error) => return (happened, Some(error)),
        }
    }
}

#[tokio::test]
async fn every_answer_of_a_turn_is_counted_and_priced() {
    let world = world(None, vec![price("m"), Price { input: 3 * DOLLAR, ..price("big") }]);
    let model = Ok(Happening::Model("big".to_owned()));
    let script = vec![called(), responded(1_000_000, 0), model, said("Hm."), responded(1_000_000, 0), done()];
    let mut run = world.begin(&engine(script)).await.unwrap();
    let (happened, error) = play(&mut run).await;
    assert!(error.is_none());
    let costs = happened.iter().filter_map(|happening| match happening {
        Happening::Responded(usage) => usage.cost_nano_usd,
        _ => None,
    });
    assert_eq!(costs.collect::<Vec<_>>(), [DOLLAR, DOLLAR], "the model was asked for before it said its name");
    drop(run);
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.input_tokens, tally.estimated_calls), (2, 2_000_000, 0));
    assert_eq!(tally.cost_nano_usd, 2 * DOLLAR);
}

#[tokio::test]
async fn no_turn_begins_behind_the_cap() {
    let world = world(Some(DOLLAR), vec![price("m")]);
    let playing = engine(vec![said("Hm."), responded(1_000_000, 0), done()]);
    let mut run = world.begin(&playing).await.unwrap();
    let (_, error) = play(&mut run).await;
    assert!(error.is_none(), "one that ends by itself is not cut");
    let error = world.begin(&playing).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::SpendCap);
    let watched = world.meter.watch_engine(playing.clone());
    assert_eq!(watched.take_up(place()).await.err().unwrap().kind, ErrorKind::SpendCap);
    assert_eq!(playing.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_turn_that_reaches_the_cap_is_interrupted() {
    let after_a_call = vec![called(), responded(1_000_000, 0)];
    let by_itself = vec![said("Hm."), responded(1_000_000, 0), said("More.")];
    for script in [after_a_call, by_itself] {
        let world = world(Some(DOLLAR), vec![price("m")]);
        let playing = engine(script);
        let mut run = world.begin(&playing).await.unwrap();
        let (happened, error) = play(&mut run).await;
        assert_eq!(error.unwrap().kind, ErrorKind::SpendCap);
        assert!(matches!(happened.last(), Some(Happening::Responded(_))), "what was spent is told first");
        assert_eq!(playing.interrupted.load(Ordering::SeqCst), 1);
        drop(run);
        assert_eq!(world.today().await.calls, 1);
    }
}

#[tokio::test]
async fn what_was_said_until_a_turn_is_cut_off_is_estimated() {
    let world = world(None, vec![price("m")]);
    let mut run = world.begin(&engine(vec![said("12345678")])).await.unwrap();
    run.next().await.unwrap();
    drop(run);
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.input_tokens, tally.output_tokens, tally.estimated_calls), (1, 4, 2, 1));
}

#[tokio::test]
async fn a_turn_that_is_left_is_counted_when_it_is_taken_up() {
    let world = world(None, vec![price("m")]);
    let playing = engine(vec![called(), responded(100, 10), done()]);
    let mut run = world.begin(&playing).await.unwrap();
    run.next().await.unwrap();
    run.leave().await;
    assert_eq!(world.today().await.calls, 0);
    let watched = world.meter.watch_engine(playing.clone());
    let mut run = watched.take_up(place()).await.unwrap().unwrap();
    play(&mut run).await;
    drop(run);
    let tally = world.today().await;
    assert_eq!((tally.calls, tally.input_tokens), (1, 100));
}

#[tokio::test]
async fn a_failure_before_the_answer_costs_nothing() {
    let world = world(None, vec![price("m")]);
    let failure = ProviderError::new(ErrorKind::Unavailable, "gone");
    let mut run = world.begin(&engine(vec![Err(failure)])).await.unwrap();
    play(&mut run).await;
    drop(run);
    assert_eq!(world.today().await.calls, 0);
}
