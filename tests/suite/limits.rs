//! The loop of a connection under a service of its own: what it refuses, what it survives, what it keeps in order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonrpsee::types::{ErrorObjectOwned, Extensions};
use jsonrpsee::{Methods, RpcModule};
use open_think::rpc::{self, Call, End, Limits, Reason, RpcError, Service, Verdict};
use open_think::transport::{FrameLimits, memory};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::task::JoinHandle;

const IN_FLIGHT: usize = 1024;

const LIMITS: Limits =
    Limits { json_depth: 128, in_flight: IN_FLIGHT, outbound_frames: 16, write_timeout: Duration::from_secs(30) };

/// `echo` answers, `wait` never does, `stubborn` does not even when it is cancelled, `panic` panics.
struct Patient {
    methods: Methods,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Patient {
    fn new(notes: Arc<Mutex<Vec<String>>>) -> Self {
        let mut module = RpcModule::new(());
        for name in ["echo", "wait", "stubborn", "panic", "panic-at-once"] {
            module
                .register_async_method(name, move |params, _, extensions| async move {
                    let params = params.parse::<Value>().unwrap_or_default();
                    behave(name, params, Call::from_extensions(&extensions)).await
                })
                .expect("the names differ");
        }
        Self { methods: module.into(), notes }
    }
}

async fn behave(name: &str, params: Value, call: Call) -> Result<Value, ErrorObjectOwned> {
    match name {
        "panic-at-once" => panic!("on purpose"),
        "stubborn" => std::future::pending().await,
        "wait" => call.cancelled.cancelled().await,
        _ => tokio::task::yield_now().await,
    }
    assert_ne!(name, "panic", "on purpose");
    Ok(params)
}

impl Service for Patient {
    fn methods(&self) -> &Methods {
        &self.methods
    }

    fn admit(&self, _: &str) -> Result<(), RpcError> {
        Ok(())
    }

    fn extend(&self, _: &mut Extensions) {}

    fn notification(&self, method: &str, params: Option<&RawValue>) -> Verdict {
        let params = params.map(RawValue::get).unwrap_or_default();
        match method {
            "cancel" => {
                let params: Value = serde_json::from_str(params).expect("JSON");
                let id = to_raw_value(&params["id"]).expect("JSON");
                Verdict::Cancel(rpc::Id::parse(&id).expect("an id"))
            }
            _ => {
                self.notes.lock().expect("no panic").push(params.to_owned());
                Verdict::Continue
            }
        }
    }

    fn is_spare(&self) -> bool {
        false
    }

    fn fault(&self, reason: Reason) -> RpcError {
        ErrorObjectOwned::owned(reason.code(), format!("{reason:?}"), None::<()>)
    }
}

struct Client {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    end: JoinHandle<End>,
    notes: Arc<Mutex<Vec<String>>>,
}

fn connect() -> Client {
    let frames = FrameLimits { frame_bytes: 1 << 20, header_bytes: 1 << 10 };
    let (transport, client) = memory(1 << 20, frames);
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let service = Arc::new(Patient::new(Arc::clone(&notes)));
    let end = tokio::spawn(rpc::serve(transport, LIMITS, rpc::Stops::default(), |_| service));
    let (reader, writer) = split(client);
    Client { reader: BufReader::new(reader), writer, end, notes }
}

impl Client {
    async fn send(&mut self, frame: Value) {
        self.writer.write_all(format!("{frame}\n").as_bytes()).await.expect("the pipe is open");
    }

    async fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.expect("the pipe is open");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    async fn check_alive(&mut self) {
        self.send(json!({"id": "alive", "method": "echo", "params": {"a": 1}})).await;
        assert_eq!(self.read().await, json!({"jsonrpc": "2.0", "id": "alive", "result": {"a": 1}}));
    }
}

#[tokio::test]
async fn one_request_too_many_is_refused_and_the_rest_go_on() {
    let mut client = connect();
    for id in 0..=IN_FLIGHT {
        client.send(json!({"id": id, "method": "wait"})).await;
    }
    let refused = client.read().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(IN_FLIGHT), &json!(-32001)));
    client.send(json!({"method": "cancel", "params": {"id": 7}})).await;
    let cancelled = client.read().await;
    assert_eq!((&cancelled["id"], &cancelled["error"]["code"]), (&json!(7), &json!(-32800)));
    client.check_alive().await;
}

#[tokio::test]
async fn a_second_request_under_an_id_at_work_is_refused_and_the_first_goes_on() {
    let mut client = connect();
    client.send(json!({"id": "1", "method": "wait"})).await;
    client.send(json!({"id": "1", "method": "echo"})).await;
    assert_eq!(client.read().await["error"]["code"], -32600);
    // A number is not the string of its digits.
    client.send(json!({"id": 1, "method": "echo", "params": {}})).await;
    assert_eq!(client.read().await, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    client.send(json!({"method": "cancel", "params": {"id": "1"}})).await;
    assert_eq!(client.read().await["error"]["code"], -32800);
    client.send(json!({"id": "1", "method": "echo", "params": {}})).await;
    assert_eq!(client.read().await["result"], json!({}), "an id that was answered is free again");
}

#[tokio::test]
async fn a_panic_is_answered_and_takes_nothing_with_it() {
    let mut client = connect();
    for method in ["panic", "panic-at-once"] {
        client.send(json!({"id": method, "method": method})).await;
        let answer = client.read().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(method), &json!(-32603)));
        assert!(!answer.to_string().contains("on purpose"), "{answer}");
    }
    client.check_alive().await;
}

#[tokio::test]
async fn notifications_keep_their_order() {
    let mut client = connect();
    for number in 0..500 {
        client.send(json!({"method": "note", "params": {"number": number}})).await;
        client.send(json!({"id": number, "method": "echo", "params": {}})).await;
    }
    for _ in 0..500 {
        client.read().await;
    }
    let expected: Vec<String> = (0..500).map(|number| json!({"number": number}).to_string()).collect();
    assert_eq!(*client.notes.lock().expect("no panic"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_hear_the_cancel_is_cut_off() {
    let mut client = connect();
    client.send(json!({"id": 1, "method": "stubborn"})).await;
    client.send(json!({"method": "cancel", "params": {"id": 1}})).await;
    assert_eq!(client.read().await["error"]["code"], -32800);
    client.check_alive().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_drains_within_a_bound() {
    let mut client = connect();
    let started = tokio::time::Instant::now();
    for id in 0..10 {
        let method = ["echo", "wait", "stubborn"][id % 3];
        client.send(json!({"id": id, "method": method, "params": {}})).await;
    }
    client.writer.shutdown().await.expect("the pipe is open");
    let mut codes = Vec::new();
    for _ in 0..10 {
        let answer = client.read().await;
        codes.push((answer["id"].as_u64(), answer["error"]["code"].as_i64()));
    }
    codes.sort_unstable();
    let expected = (0..10).map(|id| (Some(id), if id % 3 == 0 { None } else { Some(-32802) }));
    assert_eq!(codes, expected.collect::<Vec<_>>());
    assert!(matches!(client.end.await, Ok(End::InputEnded)));
    assert!(started.elapsed() <= Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_little_at_a_time_is_not_cut_off() {
    let mut client = connect();
    // Together far longer under way than the limit allows for a client that takes nothing.
    let text = "x".repeat(1 << 19);
    for id in 0..8 {
        client.send(json!({"id": id, "method": "echo", "params": {"text": text}})).await;
    }
    let mut bytes = 0;
    let mut chunk = vec![0; 1 << 17];
    while bytes < 8 << 19 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        bytes += client.reader.read(&mut chunk).await.expect("the pipe is open");
    }
    assert!(!client.end.is_finished(), "it was cut off");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_byte_is_cut_off() {
    let mut client = connect();
    let text = "x".repeat(100_000);
    // More than the pipe and the queue hold.
    let flood = async {
        for id in 0..1000 {
            let frame = format!("{}\n", json!({"id": id, "method": "echo", "params": {"text": text}}));
            if client.writer.write_all(frame.as_bytes()).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = flood => {}
        end = &mut client.end => assert!(matches!(end, Ok(End::Gone)), "{end:?}"),
    }
}
