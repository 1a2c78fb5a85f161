//! The committed schema is that of the code, and what goes over the wire conforms to it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use open_think::protocol;
use serde_json::{Value, json};

const UPDATE: &str = "UPDATE_SCHEMA";

/// `test` is what makes the file anew.
#[track_caller]
pub fn check_file(path: &str, text: &str, test: &str) {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), path].iter().collect();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, text).expect("the schema can be written");
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let refresh = format!("{UPDATE}=1 cargo test --locked {test}");
    assert!(committed == text, "{path} is not what the code says; to refresh it: {refresh}");
}

#[test]
fn the_schema_files_are_those_of_the_code() {
    let pretty = |value: Value| format!("{value:#}\n");
    check_file("schema/open-think.schema.json", &pretty(protocol::json_schema()), "schema");
    check_file("schema/openrpc.json", &pretty(protocol::openrpc()), "schema");
    check_file("schema/openapi.json", &pretty(protocol::openapi()), "schema");
    check_file("clients/typescript/src/protocol.ts", &protocol::typescript(), "schema");
}

#[test]
fn the_program_prints_what_the_files_say() {
    for (format, path) in [
        ("json", "schema/open-think.schema.json"),
        ("openrpc", "schema/openrpc.json"),
        ("openapi", "schema/openapi.json"),
        ("ts", "clients/typescript/src/protocol.ts"),
    ] {
        let output = std::process::Command::new(crate::home::PROGRAM).args(["schema", "--format", format]).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{output:?}");
        check_file(path, &String::from_utf8(output.stdout).expect("text"), "schema");
    }
}

#[test]
fn every_variant_has_a_title_of_its_own() {
    let mut titles = HashSet::new();
    for (name, definition) in SCHEMA["$defs"].as_object().expect("definitions") {
        let variants = ["oneOf", "anyOf"].iter().filter_map(|choice| definition[choice].as_array()).flatten();
        for variant in variants.filter(|variant| variant.get("$ref").is_none()) {
            let title =
                variant["title"].as_str().unwrap_or_else(|| panic!("{name} has a variant without one: {variant}"));
            assert!(titles.insert(title), "{title} stands twice");
        }
        assert!(definition.get("enum").is_none(), "{name} is a choice of names without titles");
    }
}

#[test]
fn every_method_says_what_it_is() {
    for (name, row) in SCHEMA["x-method"].as_object().expect("methods") {
        assert!(["daemon", "client", "both"].iter().any(|side| row["x-side"] == *side), "{name}");
        let since = row["x-since"].as_str().unwrap_or_default();
        assert!(since.split('.').count() == 2 && since.split('.').all(|part| part.parse::<u32>().is_ok()), "{name}");
        assert!(row["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{name}");
    }
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
        // What takes anything is no object.
        let whole = json!({"allOf": [schema], "$defs": SCHEMA["$defs"]});
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
