use serde_json::{Value, json};

use super::{Alone, Core, FromClient};

fn said(core: &mut Core, frame: &Value) -> Option<Value> {
    match core.client_says(&frame.to_string()) {
        FromClient::ToDaemon(text) => Some(serde_json::from_str(&text).expect("JSON")),
        FromClient::Drop => None,
        FromClient::Exit(code) => panic!("exit {code}"),
    }
}

fn heard(core: &mut Core, frame: &Value) -> Option<Value> {
    core.daemon_says(&frame.to_string()).map(|text| serde_json::from_str(&text).expect("JSON"))
}

/// Passed on as it is.
#[track_caller]
fn passes(core: &mut Core, frame: Value) {
    assert_eq!(said(core, &frame), Some(frame));
}

fn values(frames: Vec<String>) -> Vec<Value> {
    frames.iter().map(|frame| serde_json::from_str(frame).expect("JSON")).collect()
}

#[test]
fn what_is_open_when_the_daemon_goes_is_answered_once_in_its_order() {
    let mut core = Core::default();
    for id in [json!(0), json!("a"), json!(7)] {
        passes(&mut core, json!({"id": id, "method": "sessions.list"}));
    }
    assert!(heard(&mut core, &json!({"jsonrpc": "2.0", "id": "a", "result": {}})).is_some());
    let frames = values(core.lost());
    let ids: Vec<&Value> = frames.iter().map(|frame| &frame["id"]).collect();
    assert_eq!(ids, [&json!(0), &json!(7)]);
    let error = &frames[0]["error"];
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32802), &json!("E_SHUTTING_DOWN")));
    assert_eq!(error["data"]["retryable"], true);
    assert!(core.lost().is_empty());
}

#[test]
fn a_client_may_use_ids_like_ours() {
    let mut core = Core::default();
    passes(&mut core, json!({"id": "open-think-shim-1", "method": "sessions.list"}));
    let answer = json!({"jsonrpc": "2.0", "id": "open-think-shim-1", "result": {}});
    assert_eq!(heard(&mut core, &answer), Some(answer));
}

#[test]
fn subscriptions_are_read_as_the_daemon_reads_them() {
    let mut core = Core::default();
    let params = json!([{"sessionName": "s", "afterSeq": {}}]);
    passes(&mut core, json!({"id": 1, "method": "conductor.subscribe", "params": params}));
    heard(&mut core, &json!({"jsonrpc": "2.0", "id": 1, "result": {"seq": 4}}));
    core.lost();
    let again = values(core.restored());
    assert_eq!(again.last().expect("a subscription")["params"], json!({"sessionName": "s", "afterSeq": 4}));
}

#[test]
fn an_id_that_is_used_twice_is_answered_twice() {
    let mut core = Core::default();
    passes(&mut core, json!({"id": 1, "method": "conductor.message"}));
    passes(&mut core, json!({"id": 1, "method": "sessions.list"}));
    assert!(heard(&mut core, &json!({"id": 1, "error": {"code": -32600}})).is_some());
    assert_eq!(core.lost().len(), 1);
}

#[test]
fn a_new_daemon_hears_who_the_client_is_and_what_it_watches() {
    let mut core = Core::default();
    passes(
        &mut core,
        json!({"id": 1, "method": "initialize", "params": {"processId": 12, "clientInfo": {"name": "e"}}}),
    );
    heard(&mut core, &json!({"id": 1, "result": {"capabilities": {}}}));
    passes(&mut core, json!({"method": "initialized", "params": {}}));
    for (id, params) in [(2, json!({"sessionName": "a"})), (3, json!({"sessionName": "b", "afterSeq": 4}))] {
        passes(&mut core, json!({"id": id, "method": "conductor.subscribe", "params": params}));
    }
    passes(&mut core, json!({"id": 4, "method": "conductor.subscribe", "params": {"sessionName": "left"}}));
    passes(&mut core, json!({"id": 5, "method": "conductor.subscribe", "params": {"sessionName": "refused"}}));
    passes(&mut core, json!({"id": 6, "method": "codex.subscribe"}));
    for id in [2, 3, 4] {
        heard(&mut core, &json!({"id": id, "result": {"seq": 9}}));
    }
    heard(&mut core, &json!({"id": 5, "error": {"code": -32001, "message": "too many"}}));
    heard(&mut core, &json!({"id": 6, "result": {"pending": []}}));
    passes(&mut core, json!({"id": 7, "method": "conductor.unsubscribe", "params": {"sessionName": "left"}}));
    heard(&mut core, &json!({"id": 7, "result": {}}));
    let event =
        json!({"method": "conductor.event", "params": {"sessionName": "a", "turnId": "t", "seq": 11, "event": {}}});
    assert_eq!(heard(&mut core, &event), Some(event));
    assert_eq!(core.parent(), Some(12));

    assert!(core.lost().is_empty());
    let frames = values(core.restored());
    let told: Vec<(&str, &Value)> =
        frames.iter().map(|frame| (frame["method"].as_str().expect("a method"), &frame["params"])).collect();
    let introduction = json!({"processId": 12, "clientInfo": {"name": "e"}});
    let (a, b) = (json!({"sessionName": "a", "afterSeq": 11}), json!({"sessionName": "b", "afterSeq": 4}));
    let nothing = json!({});
    let expected = [
        ("initialize", &introduction),
        ("initialized", &nothing),
        ("conductor.subscribe", &a),
        ("conductor.subscribe", &b),
        ("codex.subscribe", &nothing),
    ];
    assert_eq!(told, expected);
    for id in frames.iter().map(|frame| &frame["id"]).filter(|id| !id.is_null()) {
        assert_eq!(heard(&mut core, &json!({"jsonrpc": "2.0", "id": id, "result": {}})), None, "the client asked once");
    }
}

#[test]
fn an_introduction_without_an_answer_goes_to_the_next_daemon() {
    let mut core = Core::default();
    let introduction = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}});
    passes(&mut core, introduction.clone());
    assert!(core.lost().is_empty());
    assert_eq!(values(core.restored()), [introduction]);
    let answer = json!({"jsonrpc": "2.0", "id": 0, "result": {"capabilities": {}}});
    assert_eq!(heard(&mut core, &answer), Some(answer));
    assert_eq!(core.restored().len(), 1);
}

#[test]
fn an_answer_to_a_daemon_that_is_gone_reaches_no_other() {
    let mut core = Core::default();
    let params = json!({"approvalId": "apr_1", "sessionName": "s", "turnId": "t", "actions": [], "deadlineMs": 1});
    let question = json!({"jsonrpc": "2.0", "id": "s1", "method": "conductor.approval", "params": params});
    assert_eq!(heard(&mut core, &question), Some(question.clone()));
    let frames = values(core.lost());
    assert_eq!(frames[0]["method"], "conductor.approvalResolved");
    assert_eq!(frames[0]["params"], json!({"approvalId": "apr_1", "sessionName": "s", "decision": null}));

    let again = heard(&mut core, &question).expect("a question");
    assert_eq!((&again["id"], &again["params"]), (&json!("r1s1"), &params));
    assert_eq!(said(&mut core, &json!({"id": "s1", "result": {"decision": "approve"}})), None);
    let answer = json!({"id": "r1s1", "result": {"decision": "deny"}});
    let passed = said(&mut core, &answer).expect("an answer");
    assert_eq!(passed, json!({"jsonrpc": "2.0", "id": "s1", "result": {"decision": "deny"}}));
    assert_eq!(said(&mut core, &answer), None);
}

#[test]
fn the_end_has_the_code_that_the_client_has_earned() {
    let exit = r#"{"jsonrpc":"2.0","method":"exit"}"#;
    let mut core = Core::default();
    assert_eq!(core.client_says(exit), FromClient::Exit(1));
    passes(&mut core, json!({"id": 1, "method": "shutdown"}));
    assert_eq!(core.client_says(exit), FromClient::Exit(0));
}

#[test]
fn a_client_takes_its_leave_where_there_is_no_daemon() {
    let mut core = Core::default();
    let asks = json!({"jsonrpc": "2.0", "id": 1, "method": "sessions.list"}).to_string();
    assert_eq!((core.says_alone(&asks), core.says_alone("{]")), (Alone::Asks, Alone::Asks));
    let answer = r#"{"jsonrpc":"2.0","id":"a","result":null}"#.to_owned();
    assert_eq!(core.says_alone(r#"{"id":"a","method":"shutdown"}"#), Alone::Answered(answer));
    let exit = r#"{"method":"exit"}"#;
    assert_eq!((core.says_alone(exit), core.client_says(exit)), (Alone::Leaves, FromClient::Exit(0)));
}

#[test]
fn what_is_no_message_is_passed_on_for_the_daemon_to_refuse() {
    let mut core = Core::default();
    for text in ["{]", "[]", "7", r#"{"id":1,"id":2,"method":"a"}"#, r#"{"id":{},"method":"a"}"#, r#"{"method":7}"#] {
        assert_eq!(core.client_says(text), FromClient::ToDaemon(text.into()));
    }
    assert!(core.lost().is_empty());
}

#[test]
fn what_the_daemon_does_for_the_client_can_be_stopped() {
    let mut core = Core::default();
    passes(&mut core, json!({"id": "x", "method": "skills.invoke"}));
    assert_eq!(values(core.cancel_all())[0]["params"], json!({"id": "x"}));
    assert_eq!(core.fail_all().len(), 1);
}

#[test]
fn skills_are_offered_again_as_far_as_they_were_taken() {
    let mut core = Core::default();
    let skill = |id: &str, description: &str| json!({"id": id, "description": description});
    let register =
        |id: u64, skills: Value| json!({"id": id, "method": "skills.register", "params": {"skills": skills}});
    passes(&mut core, register(1, json!([skill("a", "first"), skill("b", ""), skill("c", "")])));
    heard(&mut core, &json!({"id": 1, "result": {"registered": ["a", "b", "c"]}}));
    passes(&mut core, register(2, json!([skill("d", "")])));
    heard(&mut core, &json!({"id": 2, "error": {"code": -32602, "message": "taken"}}));
    passes(&mut core, json!({"id": 3, "method": "skills.unregister", "params": {"skills": ["b"]}}));
    heard(&mut core, &json!({"id": 3, "result": {"registered": ["a", "c"]}}));
    passes(&mut core, register(4, json!([skill("a", "second")])));
    heard(&mut core, &json!({"id": 4, "result": {"registered": ["a", "c"]}}));
    core.lost();
    let frames = values(core.restored());
    let params: Vec<&Value> = frames.iter().map(|frame| &frame["params"]).collect();
    assert_eq!(params, [&json!({"skills": [skill("a", "second")]}), &json!({"skills": [skill("c", "")]})]);
    // One that the next daemon refuses is offered to the one after it.
    let refused = json!({"id": frames[1]["id"], "error": {"code": -32602, "message": "taken"}});
    assert_eq!(heard(&mut core, &refused), None);
    core.lost();
    assert_eq!(core.restored().len(), 2);
}

#[test]
fn a_client_hears_by_the_id_that_it_knows_that_its_work_is_not_wanted() {
    let mut core = Core::default();
    let call = json!({"jsonrpc": "2.0", "id": "s1", "method": "skills.call", "params": {"skill": "a"}});
    let cancel = |id: &str| json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}});
    heard(&mut core, &call);
    assert_eq!(heard(&mut core, &cancel("s1")), Some(cancel("s1")));
    assert_eq!(heard(&mut core, &cancel("s1")), None);
    heard(&mut core, &call);
    assert_eq!(values(core.lost()), [cancel("s1")]);
    heard(&mut core, &call);
    assert_eq!(heard(&mut core, &cancel("s1")), Some(cancel("r1s1")));
    heard(&mut core, &call);
    assert_eq!(values(core.lost()), [cancel("r1s1")]);
    let late = json!({"jsonrpc": "2.0", "id": "r1s1", "result": {"output": 1}});
    assert_eq!((said(&mut core, &late), core.says_alone(&late.to_string())), (None, Alone::Drop));
}
