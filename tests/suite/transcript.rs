//! Conversations kept as files, each held over every transport.
//!
//! `-> {…}` is sent, and answered before the next line if it is a request; `~> {…}` is sent without waiting.
//! `.. answer 3`, `.. event tool-result` and `.. request conductor.approval` wait for such a frame. `<- {…}` came.
//! What differs from run to run stands as `$TURN1`, `$ACTION1`, `$TIME`; the numbered ones may be used in what is sent.
//! Neighbouring pieces of text are shown as one: how many frames they come in depends on the pace of the reader.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::home::Home;
use crate::schema::Conformity;
use crate::site::Site;
use crate::wire::{Framing, Wire, check_numbers};

macro_rules! transcripts {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test]
            async fn $name() {
                check(stringify!($name)).await;
            }
        )*
    };
}

transcripts! {
    handshake
    script
    shutdown
    propose
    selective
    decisions
    suggestion
    auto
    faults
    events
    subscribe
    accepted
    interrupt
    cancel
    queue
    progress
    sessions
    skills
    client_skills
    providers
    sign_in
    codex
    status
    approval
    bad_frames
    bad_params
    tolerance
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Memory(Framing),
    MemoryInChunks(Framing),
    Program(Framing),
    Socket(Framing),
    Shim(Framing),
    WebSocket,
}

const WAYS: [Way; 11] = [
    Way::Memory(Framing::Lines),
    Way::Memory(Framing::Headers),
    Way::MemoryInChunks(Framing::Lines),
    Way::MemoryInChunks(Framing::Headers),
    Way::Program(Framing::Lines),
    Way::Program(Framing::Headers),
    Way::Socket(Framing::Lines),
    Way::Socket(Framing::Headers),
    Way::Shim(Framing::Lines),
    Way::Shim(Framing::Headers),
    Way::WebSocket,
];

const UPDATE: &str = "UPDATE_TRANSCRIPTS";

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/suite/transcripts"].iter().collect()
}

#[test]
fn every_transcript_is_run() {
    let files = std::fs::read_dir(directory()).expect("the transcripts can be listed");
    for file in files {
        let path = file.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert!(NAMES.contains(&name), "name {name} in tests/suite/transcript.rs");
    }
}

async fn check(name: &str) {
    let path = directory().join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if std::env::var_os(UPDATE).is_some() {
        let heard = hold(&expected, Way::Memory(Framing::Lines)).await;
        std::fs::write(&path, heard).expect("the transcript can be written");
        return;
    }
    for way in WAYS {
        let heard = hold(&expected, way).await;
        if heard != expected {
            let difference = difference(&expected, &heard);
            panic!("{name} over {way:?}:\n{difference}\nIf this is right: {UPDATE}=1 cargo test --locked transcript");
        }
    }
}

/// The first line that differs.
fn difference(expected: &str, heard: &str) -> String {
    let lines = expected.lines().zip(heard.lines()).enumerate().find(|(_, (expected, heard))| expected != heard);
    match lines {
        Some((number, (expected, heard))) => format!("line {}\n- {expected}\n+ {heard}", number + 1),
        None => format!("{} lines expected, {} came", expected.lines().count(), heard.lines().count()),
    }
}

/// Holds the conversation and writes down what was heard.
async fn hold(script: &str, way: Way) -> String {
    if matches!(way, Way::WebSocket) {
        let site = Site::start("").await;
        return talk(script, Wire::over_websocket(site.socket().await), site.home).await;
    }
    let home = Home::new();
    let wire = match way {
        Way::Memory(framing) => Wire::connect(&home.daemon().await, framing),
        Way::MemoryInChunks(framing) => Wire::connect(&home.daemon().await, framing).in_chunks(7),
        Way::Program(framing) => home.spawn(framing),
        Way::Socket(framing) => {
            home.serve().await;
            home.connect(framing).await
        }
        Way::Shim(framing) => home.shim(framing),
        Way::WebSocket => unreachable!("it is done before"),
    };
    talk(script, wire, home).await
}

async fn talk(script: &str, wire: Wire, home: Home) -> String {
    let mut talk = Talk { wire, home, names: Names::default(), heard: Vec::new(), conformity: Conformity::default() };
    for line in script.lines() {
        talk.line(line).await;
    }
    talk.text()
}

struct Talk {
    wire: Wire,
    home: Home,
    names: Names,
    heard: Vec<Heard>,
    conformity: Conformity,
}

enum Heard {
    /// A line of the script.
    Said(String),
    Frame(Value),
}

impl Talk {
    async fn line(&mut self, line: &str) {
        if line.starts_with("<- ") {
            return;
        }
        self.heard.push(Heard::Said(line.to_owned()));
        if let Some(text) = line.strip_prefix("-> ") {
            let frame = self.send(text).await;
            self.wait_for_answer(frame.as_ref()).await;
        } else if let Some(text) = line.strip_prefix("~> ") {
            self.send(text).await;
        } else if let Some(wanted) = line.strip_prefix(".. ") {
            self.wait(wanted).await;
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "what does this line mean? {line}");
        }
    }

    async fn send(&mut self, text: &str) -> Option<Value> {
        let text = self.names.real(text);
        self.wire.write(&text).await;
        let frame = read(&text);
        if let Some(frame) = &frame {
            self.conformity.sent(frame);
        }
        frame
    }

    /// What cannot be answered under its id is answered under none.
    async fn wait_for_answer(&mut self, sent: Option<&Value>) {
        let id = match sent {
            Some(Value::Object(frame)) if frame.contains_key("result") || frame.contains_key("error") => return,
            Some(Value::Object(frame)) => match frame.get("id") {
                None if frame.contains_key("method") => return,
                Some(id @ (Value::Number(_) | Value::String(_))) => id.clone(),
                _ => Value::Null,
            },
            _ => Value::Null,
        };
        self.hear_until(|frame| frame.get("method").is_none() && frame["id"] == id).await;
    }

    async fn wait(&mut self, wanted: &str) {
        let (what, name) = wanted.split_once(' ').expect("what to wait for, and its name");
        let id: Value = serde_json::from_str(name).unwrap_or_default();
        self.hear_until(|frame| match what {
            "answer" => frame.get("method").is_none() && frame["id"] == id,
            "event" => frame["params"]["event"]["kind"] == name,
            "request" | "notification" => frame["method"] == name,
            _ => panic!("wait for an answer, an event, a notification or a request, not for {what}"),
        })
        .await;
    }

    async fn hear_until(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let Some(frame) = self.wire.read().await else { panic!("the daemon hung up:\n{}", self.text()) };
            self.conformity.came(&frame);
            check_numbers(&frame);
            let done = wanted(&frame);
            self.hear(frame);
            if done {
                return;
            }
        }
    }

    fn hear(&mut self, mut frame: Value) {
        let home = self.home.path().display().to_string();
        self.names.hide(&mut frame, &home);
        let merged = match self.heard.last_mut() {
            Some(Heard::Frame(last)) => merge(last, &frame),
            _ => false,
        };
        if !merged {
            self.heard.push(Heard::Frame(frame));
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for heard in &self.heard {
            // Writing to a string cannot fail.
            let _ = match heard {
                Heard::Said(line) => writeln!(text, "{line}"),
                Heard::Frame(frame) => writeln!(text, "<- {frame}"),
            };
        }
        text
    }
}

/// However deep.
fn read(text: &str) -> Option<Value> {
    let flat = text.replace("[[", "[").replace("]]", "]");
    if flat.len() < text.len() { read(&flat) } else { serde_json::from_str(text).ok() }
}

/// Adds the next piece of the same text to the last.
fn merge(last: &mut Value, next: &Value) -> bool {
    let (before, after) = (&last["params"], &next["params"]);
    let kind = &after["event"]["kind"];
    let member = if kind == "tool-use-input" { "partial" } else { "text" };
    let pieces = ["text-delta", "reasoning-delta", "tool-use-input"].iter().any(|piece| kind == piece);
    let same = before["event"]["kind"] == *kind
        && before["event"]["index"] == after["event"]["index"]
        && before["turnId"] == after["turnId"];
    if !pieces || !same {
        return false;
    }
    let (first, seq) = (before["firstSeq"].as_u64().or(before["seq"].as_u64()), after["seq"].as_u64());
    let from = after["firstSeq"].as_u64().or(seq);
    assert_eq!(before["seq"].as_u64().map(|seq| seq + 1), from, "a hole before {after}");
    let whole = [before, after].map(|params| params["event"][member].as_str().unwrap_or_default()).concat();
    last["params"]["event"][member] = whole.into();
    let event = last["params"]["event"].take();
    let (session, turn) = (last["params"]["sessionName"].take(), last["params"]["turnId"].take());
    last["params"] = json!({"sessionName": session, "turnId": turn, "seq": seq, "firstSeq": first, "event": event});
    true
}

/// What stands for ids, times and places.
#[derive(Default)]
struct Names {
    by_real: HashMap<String, String>,
    counts: HashMap<&'static str, u32>,
}

const IDS: [(&str, &str); 3] = [("turn_", "TURN"), ("act_", "ACTION"), ("apr_", "APPROVAL")];
const TIMES: [&str; 5] = ["createdAt", "updatedAt", "startedAt", "checkedAt", "since"];
const NUMBERS: [&str; 5] = ["durationMs", "latencyMs", "memoryBytes", "pid", "uptimeMs"];

impl Names {
    fn real(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (real, name) in &self.by_real {
            text = text.replace(&format!("\"{name}\""), &format!("\"{real}\""));
        }
        text
    }

    fn hide(&mut self, value: &mut Value, home: &str) {
        match value {
            Value::Object(members) => {
                // Only on some ways is there one.
                members.shift_remove("socket");
                for (key, member) in members.iter_mut() {
                    match key.as_str() {
                        key if TIMES.contains(&key) && member.is_u64() => *member = "$TIME".into(),
                        key if NUMBERS.contains(&key) && member.is_u64() => *member = "$NUMBER".into(),
                        "requestId" => *member = "$REQUEST".into(),
                        "version" => *member = "$VERSION".into(),
                        "day" => *member = "$DAY".into(),
                        "build" => *member = "$BUILD".into(),
                        // By the way of the client, and by how soon a program starts.
                        "connections" => *member = "$CONNECTIONS".into(),
                        "children" => *member = "$CHILDREN".into(),
                        _ => self.hide(member, home),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item, home)),
            Value::String(text) => *text = self.hide_text(text).replace(home, "$HOME"),
            _ => {}
        }
    }

    fn hide_text(&mut self, text: &str) -> String {
        for (prefix, kind) in IDS {
            let Some(at) = text.find(prefix) else { continue };
            let id: String = text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if id.len() != prefix.len() + 20 {
                continue;
            }
            let name = self.name(&id, kind);
            return text.replace(&id, &name);
        }
        text.to_owned()
    }

    fn name(&mut self, id: &str, kind: &'static str) -> String {
        if let Some(name) = self.by_real.get(id) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("${kind}{count}");
        self.by_real.insert(id.to_owned(), name.clone());
        name
    }
}
