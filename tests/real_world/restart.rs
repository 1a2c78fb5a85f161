//! What was acknowledged is there after the process was killed.

use serde_json::{Value, json};

use crate::client::{Client, check_events};
use crate::home::{Home, PROGRAM};
use crate::upstream::{DIALECTS, Dialect, Upstream};

const SESSION: &str = "conductor:restart";

struct Setting {
    home: Home,
    upstream: Upstream,
    dialect: Dialect,
}

impl Setting {
    /// None where there is no Node.
    fn new(dialect: Dialect) -> Option<Self> {
        let home = Home::new();
        let upstream = Upstream::start(&home)?;
        Some(Self { home, upstream, dialect })
    }

    fn daemon(&self) -> Client {
        let mut daemon = self.home.command(PROGRAM);
        self.upstream.configure(&mut daemon, self.dialect);
        Client::start(daemon)
    }

    /// A turn that held `write-note`, in a daemon that is dead by now.
    fn held(&self) -> Value {
        let mut client = self.daemon();
        let params = json!({"sessionName": SESSION, "content": "read and write", "mode": "selective", "stream": true});
        let halted = client.ask("conductor.message", params).expect("a halted turn");
        check_events(&client.events, SESSION);
        assert_eq!((&halted["halted"], &halted["stopReason"]), (&json!("dangerous-skill"), &json!("dangerous-skill")));
        assert_eq!(halted["trace"].as_array().map(Vec::len), Some(1), "{halted}");
        assert_eq!(halted["trace"][0]["result"], json!({"name": "quince"}));
        let action = halted["suggestedActions"][0].clone();
        assert_eq!((&action["skill"], &action["input"]), (&json!("write-note"), &json!({"text": "medlar"})));
        assert!(self.home.notes().is_empty(), "a held skill ran");
        client.kill();
        halted
    }
}

fn decide(client: &mut Client, halted: &Value, decision: &str) -> Value {
    let detail = client.ask("sessions.get", json!({"sessionName": SESSION})).expect("the session is there");
    assert_eq!(detail["heldActions"][0]["id"], halted["suggestedActions"][0]["id"], "{detail}");
    let ids = json!([halted["suggestedActions"][0]["id"]]);
    let params = json!({"sessionName": SESSION, "actionIds": ids, "decision": decision, "stream": true});
    let result = client.ask("conductor.approve", params).expect("the turn goes on");
    check_events(&client.events, SESSION);
    assert_eq!(result["turnId"], halted["turnId"], "it is the same turn");
    assert_eq!((&result["stopReason"], &result["halted"]), (&json!("end-turn"), &Value::Null));
    result
}

#[test]
fn a_held_action_is_approved_after_a_kill_and_the_answer_quotes_its_result() {
    for dialect in DIALECTS {
        let Some(setting) = Setting::new(dialect) else { return };
        let halted = setting.held();
        let mut client = setting.daemon();
        let result = decide(&mut client, &halted, "approve");
        assert_eq!(setting.home.notes(), [json!({"text": "medlar"})], "{dialect:?}");
        let said = result["assistantMessage"]["content"].as_str().expect("an answer");
        assert!(said.contains("quince") && said.contains("medlar"), "{dialect:?}: {said}");

        let again =
            json!({"sessionName": SESSION, "actionIds": [halted["suggestedActions"][0]["id"]], "decision": "approve"});
        assert!(client.ask("conductor.approve", again).is_err(), "an action is decided once");
        assert_eq!(setting.home.notes().len(), 1);
        assert!(client.hang_up().success());
    }
}

#[test]
fn a_held_action_is_denied_after_a_kill_and_the_model_hears_of_it() {
    for dialect in DIALECTS {
        let Some(mut setting) = Setting::new(dialect) else { return };
        let halted = setting.held();
        let mut client = setting.daemon();
        decide(&mut client, &halted, "deny");
        assert!(setting.home.notes().is_empty(), "{dialect:?}: a denied skill ran");
        let last = setting.upstream.requests().pop().expect("a request");
        let messages = last["body"]["messages"].as_array().expect("messages");
        let results = messages.iter().filter(|message| message["role"] == "tool").count();
        assert_eq!(results, 2, "{dialect:?}: every call has a result: {last}");
    }
}
