//! The wire as types of TypeScript, made of the JSON Schema.
//!
//! What the daemon sends is open: a later version of it may send names and variants that are not known here.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::schema::json_schema;

const HEAD: &str = "\
// Made by `open-think schema --format ts`; not to be changed by hand.

/** One of the values that are known here, or another. */
export type Open<Known extends string> = Known | (string & {});

/** Stands for every string that is not known here. As the value of an enum it is apart from all that are. */
declare enum Another {
  Value = \"\",
}

/** A variant that is not known here. Comparing its tag with a known one rules it out, so that known ones have types. */
export type Unknown<Tag extends string> = { [tag in Tag]: Another } & { [field: string]: unknown };
";

pub fn typescript() -> String {
    let schema = json_schema();
    let (Some(definitions), Some(methods)) = (schema["$defs"].as_object(), schema["x-method"].as_object()) else {
        return HEAD.to_owned();
    };
    let writer = Writer { definitions, sent: sent(definitions, methods) };
    let version = format!("export const PROTOCOL_VERSION = {};\n", schema["x-version"]);
    let types = definitions.iter().map(|(name, value)| writer.definition(name, value));
    let tables = [
        writer.table(methods, "Requests", "What a client may ask.", "daemon", true),
        writer.table(methods, "ClientRequests", "What the daemon may ask.", "client", true),
        writer.table(methods, "Notifications", "What the daemon tells.", "client", false),
        writer.table(methods, "ClientNotifications", "What a client may tell.", "daemon", false),
    ];
    let parts: Vec<String> = [HEAD.to_owned(), version].into_iter().chain(types).chain(tables).collect();
    parts.join("\n")
}

struct Writer<'a> {
    definitions: &'a Map<String, Value>,
    /// Those that the daemon sends.
    sent: BTreeSet<&'a str>,
}

impl Writer<'_> {
    fn definition(&self, name: &str, value: &Value) -> String {
        let open = self.sent.contains(name);
        if is_enumeration(value) {
            return enumeration(name, value);
        }
        if variants(value).is_some() {
            return self.union(name, value, open);
        }
        if value["properties"].is_object() || (value["type"] == "object" && !has_others(value)) {
            return self.structure(name, value, open);
        }
        format!("{}export type {name} = {};\n", comment(value["description"].as_str(), ""), self.type_of(value, open))
    }

    fn structure(&self, name: &str, value: &Value, open: bool) -> String {
        let head = comment(value["description"].as_str(), "");
        match value["properties"].as_object() {
            Some(members) if !members.is_empty() => {
                format!("{head}export interface {name} {{\n{}}}\n", self.fields(value, open))
            }
            _ => format!("{head}export type {name} = Record<string, never>;\n"),
        }
    }

    /// Variants with members become types of their own, named by their titles.
    fn union(&self, name: &str, value: &Value, open: bool) -> String {
        let variants = variants(value).unwrap_or_default();
        let named = |variant: &Value| variant["title"].is_string() && variant["properties"].is_object();
        let part = |variant: &Value| match variant["title"].as_str() {
            Some(title) if named(variant) => title.to_owned(),
            _ => self.type_of(variant, open),
        };
        let mut parts: Vec<String> = variants.iter().map(part).collect();
        if let Some(tag) = variants.first().and_then(tag).filter(|_| open && variants.iter().all(named)) {
            parts.push(format!("Unknown<\"{tag}\">"));
        }
        let mut text = String::new();
        for variant in variants.iter().filter(|variant| named(variant)) {
            text += &self.structure(variant["title"].as_str().unwrap_or_default(), variant, open);
            text.push('\n');
        }
        let lines: String = parts.iter().map(|part| format!("\n  | {part}")).collect();
        text + &format!("{}export type {name} ={lines};\n", comment(value["description"].as_str(), ""))
    }

    fn table(&self, methods: &Map<String, Value>, name: &str, about: &str, side: &str, requests: bool) -> String {
        let mut rows = String::new();
        for (method, row) in methods {
            let result = row.get("result");
            let is_of_side = row["x-side"] == side || row["x-side"] == "both";
            if !is_of_side || result.is_some() != requests {
                continue;
            }
            let params = self.type_of(&row["params"], false);
            let types = match result {
                Some(result) => format!("{{ params: {params}; result: {} }}", self.type_of(result, false)),
                None => params,
            };
            // Writing to a string cannot fail.
            let _ = writeln!(rows, "{}  \"{method}\": {types};", comment(row["summary"].as_str(), "  "));
        }
        format!("/** {about} */\nexport interface {name} {{\n{rows}}}\n")
    }

    fn fields(&self, value: &Value, open: bool) -> String {
        let Some(members) = value["properties"].as_object() else { return String::new() };
        let required = |name: &str| value["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let field = |(name, member): (&String, &Value)| {
            let mark = if required(name) { "" } else { "?" };
            format!("{}  {name}{mark}: {};\n", comment(about(member).as_deref(), "  "), self.type_of(member, open))
        };
        members.iter().map(field).collect()
    }

    fn type_of(&self, value: &Value, open: bool) -> String {
        if let Some(name) = referenced(value) {
            let is_open = open && self.definitions.get(name).is_some_and(is_enumeration);
            return if is_open { format!("Open<{name}>") } else { name.to_owned() };
        }
        if let Some(one) = value.get("const") {
            return one.to_string();
        }
        if let Some(variants) = variants(value) {
            let parts: Vec<String> = variants.iter().map(|variant| self.type_of(variant, open)).collect();
            return parts.join(" | ");
        }
        if value["properties"].is_object() {
            return format!("{{\n{}}}", self.fields(value, open));
        }
        match &value["type"] {
            Value::Array(types) => {
                let of_one = |one: &Value| match value.as_object().cloned() {
                    Some(mut members) => {
                        members.insert("type".to_owned(), one.clone());
                        self.type_of(&members.into(), open)
                    }
                    None => "unknown".to_owned(),
                };
                types.iter().map(of_one).collect::<Vec<_>>().join(" | ")
            }
            Value::String(name) => self.plain(name, value, open),
            _ => "unknown".to_owned(),
        }
    }

    fn plain(&self, name: &str, value: &Value, open: bool) -> String {
        match name {
            "array" => match self.type_of(&value["items"], open) {
                item if item.contains('|') => format!("({item})[]"),
                item => format!("{item}[]"),
            },
            "object" => format!("Record<string, {}>", self.type_of(&value["additionalProperties"], open)),
            "integer" | "number" => "number".to_owned(),
            "string" | "boolean" | "null" => name.to_owned(),
            _ => "unknown".to_owned(),
        }
    }
}

fn enumeration(name: &str, value: &Value) -> String {
    let name_of =
        |variant: &Value| format!("{}  | {}", comment(variant["description"].as_str(), "  "), variant["const"]);
    let lines: Vec<String> = variants(value).unwrap_or_default().iter().map(name_of).collect();
    format!("{}export type {name} =\n{};\n", comment(value["description"].as_str(), ""), lines.join("\n"))
}

/// What the daemon sends: its results, what it asks and tells, and all that is in them.
fn sent<'a>(definitions: &'a Map<String, Value>, methods: &'a Map<String, Value>) -> BTreeSet<&'a str> {
    let mut sent = BTreeSet::new();
    let mut ahead: Vec<&Value> = methods
        .values()
        .filter_map(|row| if row["x-side"] == "daemon" { row.get("result") } else { row.get("params") })
        .collect();
    while let Some(value) = ahead.pop() {
        match value {
            Value::Object(members) => ahead.extend(members.values()),
            Value::Array(items) => ahead.extend(items),
            _ => {}
        }
        if let Some(name) = referenced(value).filter(|name| sent.insert(*name)) {
            ahead.extend(definitions.get(name));
        }
    }
    sent
}

fn referenced(value: &Value) -> Option<&str> {
    value["$ref"].as_str()?.rsplit('/').next()
}

fn variants(value: &Value) -> Option<&[Value]> {
    value["oneOf"].as_array().or_else(|| value["anyOf"].as_array()).map(Vec::as_slice)
}

/// Whether it is a choice of names and nothing else.
fn is_enumeration(value: &Value) -> bool {
    value["oneOf"].as_array().is_some_and(|variants| variants.iter().all(|variant| variant["const"].is_string()))
}

/// The member whose constant tells the variant from the others.
fn tag(variant: &Value) -> Option<&str> {
    let members = variant["properties"].as_object()?;
    members.iter().find(|(_, member)| member.get("const").is_some()).map(|(name, _)| name.as_str())
}

fn has_others(value: &Value) -> bool {
    value.get("additionalProperties").is_some_and(|others| others != false)
}

/// What a member is, and what holds where it is left out.
fn about(member: &Value) -> Option<String> {
    let text = member["description"].as_str();
    let told = text.is_some_and(|text| text.contains("Default"));
    let default = member.get("default").filter(|default| !told && !default.is_null() && !default.is_object());
    let default = default.map(|default| format!("Default `{}`.", default.as_str().unwrap_or(&default.to_string())));
    let parts: Vec<String> = text.map(str::to_owned).into_iter().chain(default).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn comment(text: Option<&str>, indent: &str) -> String {
    let Some(text) = text else { return String::new() };
    if !text.contains('\n') {
        return format!("{indent}/** {text} */\n");
    }
    let lines: String = text.lines().map(|line| format!("{indent} * {line}\n")).collect();
    format!("{indent}/**\n{lines}{indent} */\n")
}
