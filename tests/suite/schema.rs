//! The committed schema is that of the code, and what goes over the wire conforms to it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use open_think::protocol;
use serde_json::{Value, json};

const UPDATE: &str = "UPDATE_SCHEMA";

#[track_caller]
fn check_file(name: &str, value: &Value) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "schema", name].iter().collect();
    let text = format!("{value:#}\n");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, text).expect("the schema can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let refresh = format!("{UPDATE}=1 cargo test --locked schema");
    assert!(committed == text, "schema/{name} is not what the code says; to refresh it: {refresh}");
}

#[test]
fn the_schema_files_are_those_of_the_code() {
    check_file("open-think.schema.json", &protocol::json_schema());
    check_file("openrpc.json", &protocol::openrpc());
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(&SCHEMA).expect("a JSON Schema");
    for name in SCHEMA["$defs"].as_object().expect("definitions").keys() {
        validator(&json!({"$ref": format!("#/$defs/{name}")}));
    }
}

#[test]
fn faults_of_a_frame_are_found() {
    let mut conformity = Conformity::default();
    conformity.sent(&json!({"id": 1, "method": "daemon.status"}));
    let caught = std::panic::catch_unwind(move || conformity.came(&json!({"id": 1, "result": {"pid": "x"}})));
    assert!(caught.is_err(), "a result that breaks the schema passed");
}

static SCHEMA: LazyLock<Value> = LazyLock::new(protocol::json_schema);

fn validator(schema: &Value) -> Arc<Validator> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().expect("no panic while it is held");
    let make = || {
        let mut whole = schema.clone();
        whole["$defs"] = SCHEMA["$defs"].clone();
        Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{schema}: {error}")))
    };
    Arc::clone(validators.entry(schema.to_string()).or_insert_with(make))
}

#[track_caller]
fn check(schema: &Value, value: &Value, what: &str) {
    let faults: Vec<String> =
        validator(schema).iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what} breaks the schema: {faults:#?}\n{value}");
}

/// What is taken for a member that is left out, without being promised.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || *value == json!({})
}

/// Watches a conversation and panics at the first frame that breaks the schema.
#[derive(Default)]
pub struct Conformity {
    /// Method and parameters by id.
    asked: HashMap<String, (String, Value)>,
}

impl Conformity {
    pub fn sent(&mut self, frame: &Value) {
        if let (Some(method), Some(id)) = (frame["method"].as_str(), frame.get("id")) {
            let params = frame.get("params").cloned().unwrap_or_default();
            // The first one counts: the second under an id that is at work is refused.
            self.asked.entry(id.to_string()).or_insert((method.to_owned(), params));
        }
    }

    #[track_caller]
    pub fn came(&mut self, frame: &Value) {
        if let Some(method) = frame["method"].as_str() {
            let row = &SCHEMA["x-method"][method];
            assert!(row["x-side"] == "client" || row["x-side"] == "both", "{method} is not in the schema");
            check(&row["params"], &frame["params"], method);
        } else if let Some(error) = frame.get("error") {
            check(&json!({"$ref": "#/$defs/ErrorData"}), &error["data"], "an error");
        } else if let Some((method, params)) = self.asked.remove(&frame["id"].to_string()) {
            let row = &SCHEMA["x-method"][method.as_str()];
            check(&row["result"], &frame["result"], &format!("the result of {method}"));
            if params.as_object().is_some_and(|members| !members.values().any(is_nothing)) {
                check(&row["params"], &params, &format!("what {method} took"));
            }
        }
    }
}
