use super::*;

/// One line for what a frame was taken for.
fn describe(text: &str) -> String {
    match parse(text, 8) {
        Ok(Message::Request { id, method, params }) => {
            format!("request {id} {method} {}", params.map_or("-".into(), |params| params.get().to_owned()))
        }
        Ok(Message::Notification { method, params }) => {
            format!("notification {method} {}", params.map_or("-".into(), |params| params.get().to_owned()))
        }
        Ok(Message::Response { id, outcome: Ok(result) }) => format!("result {id} {result}"),
        Ok(Message::Response { id, outcome: Err(error) }) => format!("error {id} {}", error.code()),
        Ok(Message::StrayError) => "stray".into(),
        Err(BadFrame { id, reason }) => {
            format!("bad {} {}", id.map_or("null".into(), |id| id.to_string()), reason.code())
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(describe(text), expected, "{text}");
}

#[test]
fn requests_keep_their_id_token() {
    check(r#"{"jsonrpc":"2.0","id":0,"method":"m","params":{"a":1}}"#, r#"request 0 m {"a":1}"#);
    check(r#"{"id":9007199254740993,"method":"m"}"#, "request 9007199254740993 m -");
    check(r#"{"id":-1,"method":"m","params":null}"#, "request -1 m -");
    check(r#"{"id":1.50,"method":"m","params":[]}"#, "request 1.50 m -");
    check(r#"{"id":"a\u00e9","method":"m","params":[{"a":1}]}"#, r#"request "a\u00e9" m {"a":1}"#);
    check(r#"{"id":"1","method":"m\/n","trace":{"x":1}}"#, r#"request "1" m/n -"#);
}

#[test]
fn notifications_and_answers() {
    check(r#"{"jsonrpc":"2.0","id":"s7"}"#, r#"result "s7" null"#);
    check(r#"{"method":"n","params":{}}"#, "notification n {}");
    check(r#"{"id":"s1","result":null}"#, r#"result "s1" null"#);
    check(r#"{"id":"s1","result":{"a":1},"error":null}"#, r#"result "s1" {"a":1}"#);
    check(r#"{"id":"s1","error":{"code":-5,"message":"no"}}"#, r#"error "s1" -5"#);
    check(r#"{"id":"s1","result":null,"error":{"code":-5,"message":"no"}}"#, r#"error "s1" -5"#);
    check(r#"{"id":null,"error":{"code":-5,"message":"no"}}"#, "stray");
}

#[test]
fn faults() {
    check("nonsense", "bad null -32700");
    check(r#"{"id":1,"method":"m""#, "bad null -32700");
    check("[]", "bad null -32600");
    check(r#"[{"id":1,"method":"m"},{"id":2,"method":"m"}]"#, "bad null -32600");
    check("17", "bad null -32600");
    check(r#""text""#, "bad null -32600");
    check("{}", "bad null -32600");
    check(r#"{"id":7}"#, "bad 7 -32600");
    check(r#"{"id":7,"method":5}"#, "bad 7 -32600");
    check(r#"{"id":null,"method":"m"}"#, "bad null -32600");
    check(r#"{"id":{},"method":"m"}"#, "bad null -32600");
    check(r#"{"id":true,"method":"m"}"#, "bad null -32600");
    check(r#"{"id":1,"id":2,"method":"m"}"#, "bad null -32600");
    check(r#"{"jsonrpc":"1.0","id":7,"method":"m"}"#, "bad 7 -32600");
    check(r#"{"id":7,"method":"m","params":"x"}"#, "bad 7 -32602");
    check(r#"{"id":7,"method":"m","params":[1,2]}"#, "bad 7 -32602");
    check(r#"{"id":7,"method":"m","params":[[[[[[[[1]]]]]]]]}"#, "bad 7 -32600");
}

#[test]
fn brackets_in_strings_are_not_nesting() {
    check(r#"{"id":7,"method":"m","params":{"a":"[[[[[[[[[[\"[[[["}}"#, r#"request 7 m {"a":"[[[[[[[[[[\"[[[["}"#);
}

#[test]
fn brackets_in_strings_are_no_depth() {
    let check = |text: &str, depth: usize| {
        assert!(!deeper_than(text, depth), "{text}");
        assert!(depth == 0 || deeper_than(text, depth - 1), "{text}");
    };
    check("1", 0);
    check(r#"{"a":[1,{"b":2}],"c":{}}"#, 3);
    check(r#"{"a":"[[[[","b":[]}"#, 2);
    check(r#"{"a":"\"[[\\","b":[[]]}"#, 3);
    check(r#"{"[\\\"{":[]}"#, 2);
    // What is not JSON must not run off its end either.
    check("{\"a", 1);
    check("{\"a\\", 1);
    check("]]{", 1);
}
