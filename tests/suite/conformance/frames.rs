//! Ids, frames and envelopes as clients write them.

use serde_json::json;

use super::habit::Said::{Error, Holds, Result, Says};
use super::habit::{Habit, notification, request};
use crate::wire::Framing;

const NAP: &str = r#"{"skill":"take-a-nap"}"#;

pub fn habits() -> Vec<Habit> {
    [ids(), bytes(), header_blocks(), lines(), envelopes(), methods()].concat()
}

fn list(id: &str) -> String {
    request(id, "sessions.list", "{}")
}

fn ids() -> Vec<Habit> {
    let long = format!("\"{}\"", "x".repeat(100_000));
    let ids = [
        "0",
        "-7",
        "\"\"",
        "\"6f9619ff-8b86-d011-b42d-00cf4fc964ff\"",
        "9007199254740993",
        "1.5",
        "1e3",
        r#""\u00e9\ud83d\udc22""#,
        &long,
    ];
    let all = ids.iter().fold(Habit::of("ids of every kind come back as they were"), |habit, id| {
        habit.ask(id, "sessions.list", "{}", Result)
    });
    vec![
        all,
        Habit::of("one id is in flight twice")
            .say(request("5", "skills.invoke", NAP))
            .say(list("5"))
            .hear("5", Error(-32600))
            .say(notification("$/cancelRequest", r#"{"id":5}"#))
            .hear("5", Error(-32800))
            .ask("5", "sessions.list", "{}", Result),
        Habit::of("a number and a text are two ids")
            .say(request("5", "skills.invoke", NAP))
            .ask("\"5\"", "sessions.list", "{}", Result)
            .say(notification("$/cancelRequest", r#"{"id":"5"}"#))
            .ask("6", "sessions.list", "{}", Result)
            .say(notification("$/cancelRequest", r#"{"id":5}"#))
            .hear("5", Error(-32800)),
    ]
}

fn bytes() -> Vec<Habit> {
    let name = r#"{"skill":"read-note","input":{"name":"żółw 🐢"}}"#;
    vec![
        Habit::of("seven bytes are written at a time")
            .in_chunks(7)
            .ask("1", "skills.invoke", name, Holds("/data/name", json!("żółw 🐢")))
            .ask("2", "sessions.list", "{}", Result),
        Habit::of("several frames leave in one write")
            .together((1..=20).map(|id| list(&id.to_string())))
            .all_of(1..=20),
        Habit::of("half a character is written").ask(
            "1",
            "conductor.message",
            r#"{"content":"\ud83d"}"#,
            Error(-32602),
        ),
    ]
}

fn header_blocks() -> Vec<Habit> {
    let body = list("1");
    let block = |template: &str| template.replace('N', &body.len().to_string());
    let blocks = [
        ("the header and the body are written apart", "Content-Length: N\r\n\r\n"),
        ("names of headers are in lower case", "content-length: N\r\ncontent-type: application/json\r\n\r\n"),
        ("nothing follows the colon", "Content-Length:N\r\n\r\n"),
        ("a type follows", "Content-Length: N\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n"),
        ("a type comes first", "Content-Type: application/vscode-jsonrpc; charset=utf8\r\nContent-Length: N\r\n\r\n"),
    ];
    let habit = |(name, template): (&'static str, &str)| {
        let habit = Habit::of(name).only(Framing::Headers);
        habit.write(block(template)).write(&body).hear("1", Result).write(block(template) + &body).hear("1", Result)
    };
    blocks.into_iter().map(habit).collect()
}

fn lines() -> Vec<Habit> {
    vec![
        Habit::of("lines end as on Windows, are indented, or empty")
            .only(Framing::Lines)
            .write(list("1") + "\r\n")
            .write(format!("\n\r\n  {}\n", list("2")))
            .hear("1", Result)
            .hear("2", Result),
    ]
}

fn envelopes() -> Vec<Habit> {
    let batch = format!("[{},{}]", list("1"), list("2"));
    vec![
        Habit::of("there is no version").say(r#"{"id":1,"method":"sessions.list"}"#).hear("1", Result),
        Habit::of("the version is another")
            .say(r#"{"jsonrpc":"1.0","id":1,"method":"sessions.list"}"#)
            .hear("1", Error(-32600)),
        Habit::of("there are members that nobody knows")
            .say(r#"{"trace":{"id":"x"},"jsonrpc":"2.0","id":1,"method":"sessions.list","_meta":null}"#)
            .hear("1", Result),
        // A first message that begins with a bracket is another protocol's.
        Habit::of("requests come in batches")
            .ask("0", "sessions.list", "{}", Result)
            .say(batch)
            .hear("null", Error(-32600))
            .say("[]")
            .hear("null", Error(-32600)),
        Habit::of("there are no parameters")
            .say(r#"{"jsonrpc":"2.0","id":1,"method":"sessions.list"}"#)
            .hear("1", Result)
            .ask("2", "sessions.list", "null", Result)
            .ask("3", "sessions.list", "[]", Result)
            .ask("4", "sessions.list", "[null]", Result),
        Habit::of("parameters are in an array")
            .ask("1", "skills.invoke", r#"[{"skill":"read-note","input":{"name":"a"}}]"#, Result)
            .ask("2", "skills.invoke", r#"["read-note",{"name":"a"}]"#, Error(-32602))
            .ask("3", "skills.invoke", r#""read-note""#, Error(-32602)),
        Habit::of("answers come to what nobody asked")
            .say(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#)
            .say(r#"{"jsonrpc":"2.0","id":7,"result":null}"#)
            .say(r#"{"jsonrpc":"2.0","id":"s1"}"#),
    ]
}

fn methods() -> Vec<Habit> {
    let all = [
        "skills.list",
        "providers.list",
        "codex.status",
        "daemon.status",
        "daemon.reload",
        "rpc.discover",
        "sessions.list",
    ];
    let turn = r#"{"content":"call read-note {\"name\":\"a\"}","mode":"auto","stream":true,"workDoneToken":0}"#;
    let all = all.iter().zip('a'..).fold(Habit::of("everything is looked at"), |habit, (method, id)| {
        habit.ask(&format!("\"{id}\""), method, "{}", Result)
    });
    vec![
        all.ask("1", "conductor.message", turn, Holds("/stopReason", json!("end-turn"))),
        Habit::of("methods of others are asked for")
            .ask("1", "textDocument/hover", "{}", Says(-32601, "'textDocument/hover'"))
            .ask("2", "conductor.unheardOf", "{}", Says(-32601, "'conductor.unheardOf'"))
            .ask("3", "$/setTrace", r#"{"value":"off"}"#, Says(-32601, "'$/setTrace'"))
            .ask("4", "exit", "{}", Says(-32601, "'exit'"))
            .ask("5", "initialized", "{}", Says(-32601, "'initialized'")),
    ]
}

impl Habit {
    /// Answers with a result.
    fn all_of(self, ids: impl IntoIterator<Item = u32>) -> Self {
        ids.into_iter().fold(self, |habit, id| habit.hear(id.to_string(), Result))
    }
}
