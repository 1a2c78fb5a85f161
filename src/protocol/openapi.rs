//! The OpenAPI document of what is served over HTTP, made of the routes and of the types of the methods behind them.

use serde_json::{Map, Value, json};

use super::route::{ROUTES, Route, Target, Verb};
use super::schema::{MethodSchema, definitions, descriptors, generator, method_schema};
use super::{ErrorData, EventParams, VERSION};

pub fn openapi() -> Value {
    let mut generator = generator("#/components/schemas/");
    let methods = method_schema(&mut generator);
    generator.subschema_for::<ErrorData>();
    let event = generator.subschema_for::<EventParams>().to_value();
    let schemas = generator.definitions().clone();
    let mut paths = Map::new();
    for route in ROUTES {
        let verb = match route.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[verb] = operation(route, &methods, &schemas, &event);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Open Think",
            "version": VERSION,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {"Failure": failure()},
            "schemas": definitions(generator),
        },
    })
}

fn operation(route: &Route, methods: &[MethodSchema], schemas: &Map<String, Value>, event: &Value) -> Value {
    let mut operation = json!({"summary": route.summary});
    let method = method_of(route.target).and_then(|name| methods.iter().find(|method| method.name == name));
    let mut parameters: Vec<Value> =
        in_path(route.path).map(|name| parameter(name, "path", true, json!({"type": "string"}))).collect();
    if let Some(method) = method {
        let members = descriptors(&method.params, schemas);
        match route.verb {
            Verb::Get => parameters.extend(in_query(&members, route.path)),
            Verb::Post => operation["requestBody"] = body(method, &members, route.path),
        }
    }
    if route.target == Target::Rejoin {
        parameters.push(parameter("Last-Event-ID", "header", false, json!({"type": "string"})));
        parameters.push(parameter("sessionName", "query", false, json!({"type": "string"})));
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if route.target == Target::Rpc {
        operation["requestBody"] = content("application/json", json!({"type": "object"}));
    }
    operation["responses"] = responses(route.target, method, event);
    operation
}

/// The method whose parameters the route takes.
fn method_of(target: Target) -> Option<&'static str> {
    match target {
        Target::Method(name) => Some(name),
        Target::Stream => Some("conductor.message"),
        _ => None,
    }
}

fn responses(target: Target, method: Option<&MethodSchema>, event: &Value) -> Value {
    let anything = || json!({"type": "object"});
    let good = match target {
        Target::Method("skills.invoke") => content("application/json", envelope(json!(true))),
        Target::Method(_) => {
            let result = method.and_then(|method| method.result.clone()).unwrap_or_else(anything);
            content("application/json", envelope(result))
        }
        Target::Health | Target::Plugins => content("application/json", envelope(anything())),
        Target::Rpc | Target::OpenApi => content("application/json", anything()),
        Target::Metrics => content("text/plain", json!({"type": "string"})),
        Target::Stream | Target::Rejoin => content("text/event-stream", event.clone()),
        Target::Socket => {
            return json!({
                "101": {"description": "The connection is a WebSocket from here on."},
                "default": {"$ref": "#/components/responses/Failure"},
            });
        }
    };
    let mut responses = json!({"200": described("What was asked for.", good)});
    match target {
        Target::Rpc => responses["202"] = json!({"description": "It was a notification."}),
        Target::Rejoin => responses["204"] = json!({"description": "There is nothing more to tell."}),
        _ => {}
    }
    responses["default"] = json!({"$ref": "#/components/responses/Failure"});
    responses
}

fn body(method: &MethodSchema, members: &[Value], path: &str) -> Value {
    if in_path(path).next().is_none() {
        return content("application/json", method.params.clone());
    }
    let rest = members.iter().filter(|member| !in_path(path).any(|name| member["name"] == name));
    let properties: Map<String, Value> =
        rest.map(|member| (member["name"].as_str().unwrap_or_default().to_owned(), member["schema"].clone())).collect();
    content("application/json", json!({"type": "object", "properties": properties, "additionalProperties": false}))
}

fn in_query(members: &[Value], path: &str) -> Vec<Value> {
    let rest = members.iter().filter(|member| !in_path(path).any(|name| member["name"] == name));
    let row = |member: &Value| {
        let (name, required) = (member["name"].as_str().unwrap_or_default(), member["required"] == true);
        parameter(name, "query", required, member["schema"].clone())
    };
    rest.map(row).collect()
}

fn parameter(name: &str, place: &str, required: bool, schema: Value) -> Value {
    json!({"name": name, "in": place, "required": required, "schema": schema})
}

/// The names in braces.
fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn content(kind: &str, schema: Value) -> Value {
    json!({"content": {kind: {"schema": schema}}})
}

fn described(description: &str, mut response: Value) -> Value {
    response["description"] = description.into();
    response
}

fn envelope(data: Value) -> Value {
    json!({
        "type": "object",
        "properties": {"ok": {"const": true}, "data": data},
        "required": ["ok", "data"],
    })
}

fn failure() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "ok": {"const": false},
            "error": {"type": "string"},
            "code": {"type": "string"},
            "requestId": {"type": "string"},
            "hint": {"type": "string"},
            "retryable": {"type": "boolean"},
        },
        "required": ["ok", "error", "code", "requestId"],
    });
    described("It was refused, or failed; what else is known stands beside.", content("application/json", schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request_names;

    #[test]
    fn every_route_leads_to_a_method_that_there_is() {
        let names = request_names();
        let document = openapi();
        for route in ROUTES {
            if let Some(method) = method_of(route.target) {
                assert!(names.iter().any(|name| name == method), "{}", route.path);
            }
            let verb = format!("{:?}", route.verb).to_lowercase();
            let operation = &document["paths"][route.path][verb];
            assert_eq!(operation["summary"], route.summary, "{}", route.path);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(path)) = members.get("$ref") {
                        let pointer = path.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{path}");
                    }
                    members.values().for_each(|member| check(member, document));
                }
                Value::Array(items) => items.iter().for_each(|item| check(item, document)),
                _ => {}
            }
        }
        let document = openapi();
        check(&document, &document);
        let invoke = &document["paths"]["/skills/invoke/{skill}"]["post"];
        let members = &invoke["requestBody"]["content"]["application/json"]["schema"]["properties"];
        assert!(members["input"].is_object() || members["input"] == true, "{invoke}");
        assert!(members.get("skill").is_none(), "it stands in the path: {invoke}");
    }
}
