//! What clients send for nothing, in each member that may be left out: `null`, `{}` where the editor has one word for
//! nothing, and `[]` where its empty table is an array.

use open_think::protocol;
use serde_json::{Map, Value, json};

use super::place::{Place, Way};
use crate::wire::Framing;

#[tokio::test]
async fn every_member_that_may_be_left_out_may_be_nothing() {
    let schema = protocol::json_schema();
    let place = Place::open(Way::Program(Framing::Lines), "").await;
    let mut wire = place.connect().await;
    let (mut faults, mut tried) = (Vec::new(), 0);
    for (method, row) in schema["x-method"].as_object().expect("methods") {
        if row["x-side"] != "daemon" || row.get("result").is_none() {
            continue;
        }
        let shape = resolve(&schema, &row["params"]);
        let none = Map::new();
        let members = shape["properties"].as_object().unwrap_or(&none);
        let needed = needed(&schema, shape);
        for (name, member) in members.iter().filter(|(name, _)| !needed.contains_key(*name)) {
            for nothing in nothings(&schema, member) {
                // A client introduces itself once.
                if method == "initialize" {
                    wire = place.connect().await;
                }
                let mut params = needed.clone();
                params.insert(name.clone(), nothing.clone());
                tried += 1;
                let Err(error) = wire.ask(method, params.into()).await else { continue };
                let says = error["message"].as_str().unwrap_or_default();
                if error["code"] == -32602 && says.contains(&format!("'{name}")) {
                    faults.push(format!("{method} with {name} {nothing}: {says}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(tried > 60, "only {tried} were tried");
}

fn resolve<'a>(schema: &'a Value, shape: &'a Value) -> &'a Value {
    match shape["$ref"].as_str() {
        Some(name) => resolve(schema, schema.pointer(name.trim_start_matches('#')).expect("a definition")),
        None => shape,
    }
}

fn nothings(schema: &Value, member: &Value) -> Vec<Value> {
    let choices = member["anyOf"].as_array();
    let is_object = |shape: &Value| {
        let shape = resolve(schema, shape);
        shape["type"] == "object" || shape["type"] == json!(["object", "null"])
    };
    let table = is_object(member) || choices.is_some_and(|choices| choices.iter().any(is_object));
    [json!(null), json!({})].into_iter().chain(table.then(|| json!([]))).collect()
}

/// The members that an object must have.
fn needed(schema: &Value, shape: &Value) -> Map<String, Value> {
    let required = shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.map(|name| (name.to_owned(), sample(schema, &shape["properties"][name]))).collect()
}

/// Something that the schema allows.
fn sample(schema: &Value, shape: &Value) -> Value {
    let shape = resolve(schema, shape);
    let choice = ["anyOf", "oneOf"].iter().find_map(|choice| shape[choice].get(0));
    match (choice, shape.get("const"), shape["type"].as_str()) {
        (Some(choice), ..) => sample(schema, choice),
        (_, Some(value), _) => value.clone(),
        (_, _, Some("string")) => json!("x"),
        (_, _, Some("array")) => json!([sample(schema, &shape["items"])]),
        (_, _, Some("object")) => needed(schema, shape).into(),
        _ => panic!("what would be one of {shape}?"),
    }
}
