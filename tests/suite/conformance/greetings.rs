//! How clients introduce themselves, and what they say before and beside it.

use super::habit::Said::{Error, Result, Says};
use super::habit::{Habit, notification, request};

pub fn habits() -> Vec<Habit> {
    let welcome = |name, params: &str| Habit::of(name).ask("0", "initialize", params, Result);
    vec![
        welcome(
            "it shows progress of its start",
            r#"{"workDoneToken":"1","capabilities":{"window":{"workDoneProgress":true}}}"#,
        ),
        welcome("its process cannot be seen", r#"{"processId":2147483647,"capabilities":{}}"#),
        welcome("its process has no number", r#"{"processId":null,"capabilities":{}}"#),
        welcome("its process is none", r#"{"processId":0,"capabilities":{}}"#),
        welcome("its process has a number that is too large", r#"{"processId":4294967297,"capabilities":{}}"#),
        welcome(
            "it tells of all that it can do",
            r#"{"capabilities":{"textDocument":{"hover":{}},"general":{"positionEncodings":["utf-16"]},"experimental":null}}"#,
        ),
        welcome(
            "it tells of all that it has",
            r#"{"rootUri":null,"rootPath":null,"workspaceFolders":null,"locale":"en","trace":"off","capabilities":{}}"#,
        ),
        welcome(
            "it has one word for nothing",
            r#"{"clientInfo":{},"capabilities":{},"initializationOptions":{},"processId":{}}"#,
        ),
        welcome("its nothing is an empty table", r#"{"clientInfo":[],"capabilities":[],"initializationOptions":[]}"#),
        welcome("its nothing is null", r#"{"clientInfo":null,"capabilities":null,"initializationOptions":null}"#),
        welcome(
            "its nothing is deep",
            r#"{"clientInfo":{"name":"e","version":null},"capabilities":{"approvals":null}}"#,
        ),
        welcome("it speaks a version of the same major", r#"{"protocolVersion":"1.7","capabilities":{}}"#),
        welcome("its version is the number of another protocol", r#"{"protocolVersion":1,"capabilities":{}}"#),
        welcome("its version is a day", r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#),
        Habit::of("its major version is another")
            .ask("1", "initialize", r#"{"protocolVersion":"2.0","capabilities":{}}"#, Says(-32600, "2.0"))
            .ask("2", "sessions.list", "{}", Result)
            .ask("3", "initialize", r#"{"protocolVersion":"1.0","capabilities":{}}"#, Result),
        Habit::of("it has nothing to tell of itself")
            .say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#)
            .hear("0", Result),
        welcome("it introduces itself twice", r#"{"capabilities":{}}"#)
            .say(notification("initialized", "{}"))
            .ask("1", "initialize", r#"{"capabilities":{}}"#, Error(-32600))
            .ask("2", "sessions.list", "{}", Result),
        welcome("it says twice that it is ready", r#"{"capabilities":{}}"#)
            .say(notification("initialized", "{}"))
            .say(r#"{"jsonrpc":"2.0","method":"initialized"}"#),
        Habit::of("it waits for no welcome")
            .together([
                request("0", "initialize", r#"{"capabilities":{}}"#),
                notification("initialized", "null"),
                request("1", "sessions.list", "{}"),
            ])
            .hear("0", Result)
            .hear("1", Result),
        Habit::of("it talks before it introduces itself")
            .say(notification("initialized", "{}"))
            .say(notification("$/setTrace", r#"{"value":"verbose"}"#))
            .say(notification("textDocument/didOpen", r#"{"textDocument":{"uri":"file:///a"}}"#))
            .say(r#"{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration"}"#)
            .say(notification("window/workDoneProgress/cancel", r#"{"token":"1"}"#))
            .ask("0", "initialize", r#"{"capabilities":{}}"#, Result),
        welcome("it cancels what is not there", r#"{"capabilities":{}}"#)
            .say(notification("$/cancelRequest", r#"{"id":0}"#))
            .say(notification("$/cancelRequest", r#"{"id":"never"}"#))
            .say(notification("$/cancelRequest", r#"{"id":1.5}"#))
            .say(notification("$/cancelRequest", r#"{"id":null}"#))
            .say(notification("$/cancelRequest", r#"{"id":{}}"#))
            .say(notification("$/cancelRequest", "{}"))
            .say(notification("$/cancelRequest", "null"))
            .say(r#"{"jsonrpc":"2.0","method":"$/cancelRequest"}"#),
    ]
}
