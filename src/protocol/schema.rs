//! The schema of the wire, made of the types that serve it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{ErrorData, Event, Method, Notification, Side, VERSION, names};

/// One row of the method table.
pub struct MethodSchema {
    pub name: &'static str,
    pub summary: &'static str,
    pub side: Side,
    pub since: &'static str,
    /// None for a notification.
    pub result: Option<Value>,
    pub params: Value,
}

impl MethodSchema {
    pub(super) fn of_request<M: Method>(generator: &mut SchemaGenerator) -> Self {
        let params = schema::<M::Params>(generator);
        let result = Some(schema::<M::Result>(generator));
        Self { name: M::NAME, summary: M::SUMMARY, side: M::SIDE, since: M::SINCE, params, result }
    }

    pub(super) fn of_notification<N: Notification>(generator: &mut SchemaGenerator) -> Self {
        let params = schema::<N::Params>(generator);
        Self { name: N::NAME, summary: N::SUMMARY, side: N::SIDE, since: N::SINCE, params, result: None }
    }
}

/// Every method, ours and the client's, with references into one set of definitions.
pub fn method_schema(generator: &mut SchemaGenerator) -> Vec<MethodSchema> {
    let mut methods = names::requests(generator);
    methods.extend(names::notifications(generator));
    methods
}

/// The requests that the daemon answers.
pub fn request_names() -> Vec<String> {
    names::request_names(Side::Daemon).into_iter().map(str::to_owned).collect()
}

/// A JSON Schema whose definitions are all parameters, results, events and errors, with the method table beside them.
pub fn json_schema() -> Value {
    let mut generator = generator("#/$defs/");
    let methods = method_schema(&mut generator);
    generator.subschema_for::<Event>();
    generator.subschema_for::<ErrorData>();
    let table: Map<String, Value> = methods
        .into_iter()
        .map(|method| {
            let mut row = json!({
                "summary": method.summary,
                "x-side": side(method.side),
                "x-since": method.since,
                "params": method.params,
            });
            if let Some(result) = method.result {
                row["result"] = result;
            }
            (method.name.to_owned(), row)
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Open Think protocol",
        "x-version": VERSION,
        "x-method": table,
        "$defs": definitions(generator),
    })
}

/// The OpenRPC document: what the daemon answers. Its notifications and its questions to clients stand in `x-` members.
pub fn openrpc() -> Value {
    let mut generator = generator("#/components/schemas/");
    let methods = method_schema(&mut generator);
    generator.subschema_for::<ErrorData>();
    let schemas = definitions(generator);
    let rows = |side: Side| -> Vec<Value> {
        let of_the_side = methods.iter().filter(|method| [side, Side::Both].contains(&method.side));
        of_the_side.map(|method| openrpc_method(method, &schemas)).collect()
    };
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Open Think",
            "version": VERSION,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "methods": rows(Side::Daemon),
        "x-clientMethods": rows(Side::Client),
        "components": {"schemas": schemas},
    })
}

fn openrpc_method(method: &MethodSchema, schemas: &Map<String, Value>) -> Value {
    let mut row = json!({
        "name": method.name,
        "summary": method.summary,
        "x-since": method.since,
        "paramStructure": "by-name",
        "params": descriptors(&method.params, schemas),
    });
    if let Some(result) = &method.result {
        row["result"] = json!({"name": "result", "schema": result});
    }
    row
}

/// OpenRPC wants the members of the parameter object one by one.
pub(super) fn descriptors(params: &Value, schemas: &Map<String, Value>) -> Vec<Value> {
    let name = params["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let Some(object) = schemas.get(name) else { return Vec::new() };
    let required = |member: &str| object["required"].as_array().is_some_and(|names| names.iter().any(|n| n == member));
    let Some(members) = object["properties"].as_object() else { return Vec::new() };
    let descriptor =
        |(name, schema): (&String, &Value)| json!({"name": name, "required": required(name), "schema": schema});
    members.iter().map(descriptor).collect()
}

pub(super) fn generator(definitions: &str) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = definitions.to_owned().into();
    settings.into_generator()
}

/// All that was asked for so far; each name of an enumeration is a variant with a title, as those of other unions are.
pub(super) fn definitions(mut generator: SchemaGenerator) -> Map<String, Value> {
    let mut definitions = generator.take_definitions(true);
    for (name, definition) in &mut definitions {
        let Some(members) = definition.as_object_mut() else { continue };
        if let Some(names) = members.shift_remove("enum") {
            members.shift_remove("type");
            members.insert("oneOf".to_owned(), json!([{"enum": names}]));
        }
        let Some(Value::Array(variants)) = members.get_mut("oneOf") else { continue };
        *variants = variants.drain(..).flat_map(apart).map(|variant| titled(variant, name)).collect();
    }
    definitions
}

/// Names of which nothing is said come in one variant.
fn apart(variant: Value) -> Vec<Value> {
    match &variant["enum"] {
        Value::Array(names) => names.iter().map(|name| json!({"type": "string", "const": name})).collect(),
        _ => vec![variant],
    }
}

fn titled(mut variant: Value, definition: &str) -> Value {
    if let Some(name) = variant["const"].as_str() {
        let words = name.split(['-', '_']).map(capitalised);
        variant["title"] = words.fold(definition.to_owned(), |title, word| title + &word).into();
    }
    variant
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
    first.to_uppercase() + &rest.to_lowercase()
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Daemon => "daemon",
        Side::Client => "client",
        Side::Both => "both",
    }
}
