//! The page of the protocol, made of the schema and of a conversation that was held just now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use open_think::protocol;
use serde_json::{Map, Value, json};

use crate::examples::{Examples, examples};
use crate::schema::check_file;

const HEAD: &str = "\
# The protocol

Made of [the schema](../schema/open-think.schema.json) and of conversations with the daemon that the tests hold:
`UPDATE_SCHEMA=1 cargo test --locked protocol_page` makes it anew.

## Ways in

`open-think --stdio` speaks on standard input and output; it finds the daemon that the user's programs share, or starts it,
and outlives it. `open-think status --json` says on which socket that daemon listens. With
`listen = \"http://127.0.0.1:7878\"` under `[daemon]` in the configuration `/rpc` is a WebSocket there; it wants
`Authorization: Bearer` and the token in the file that `daemon.status` names.

A byte stream carries one JSON object a line, or objects with `Content-Length` headers as in the language server protocol;
the first byte decides, and answers come in kind. Over a WebSocket each message is one object. There are no batches. Here
long objects are laid out on several lines, and an answer stands below its request.

JSON-RPC 2.0, in both directions: what is marked as from the daemon is asked of the client. Every request gets exactly one
answer. Names are in camel case, times are Unix milliseconds, and numbers are whole and below 2^53 unless it is said
otherwise. What is optional may be left out or be `null`. A usual client sends `initialize`, then `initialized`, then the
rest; one that wants no requests from the daemon may leave both out.

A client must pass over members that it does not know, and take names of enumerations and kinds of events that it does not
know for what they are: within one major version of the protocol they may come at any time. In the types below, which are
TypeScript's, `Open<Mode>` is one of the names of `Mode` or another, and `Unknown<\"kind\">` an object whose `kind` is none of
those that stand beside it. In the examples `…` stands for more of the same.

## Limits

A frame has 16 MiB and is nested 128 deep at most; `[limits]` in the configuration sets other bounds. 1,024 requests of
a connection may be in flight, and 32 turns wait in a session; what is beyond is refused with `E_OVERLOADED`. A client
offers 128 skills at most, all together 1,024; 64 calls of one client's skills run side by side. The schema of a client's
skill has 32 KiB and 1,024 places, and refers to places within alone, and to itself once at most.
";

/// One after another in the page, by how their methods begin.
const CHAPTERS: [(&str, &[&str]); 8] = [
    ("The connection", &["initialize", "initialized", "shutdown", "exit", "$/"]),
    ("Turns", &["conductor."]),
    ("Sessions", &["sessions."]),
    ("Skills", &["skills."]),
    ("Providers", &["providers."]),
    ("Codex", &["codex."]),
    ("Signing in", &["oauth."]),
    ("The daemon", &["daemon.", "rpc."]),
];

#[tokio::test]
async fn the_page_is_that_of_the_schema_with_examples_that_work() {
    let schema = protocol::json_schema();
    let page = Page::new(&schema, &protocol::typescript()).text(&examples().await);
    check_file("clients/PROTOCOL.md", &page, "protocol_page");
}

struct Page<'a> {
    methods: &'a Map<String, Value>,
    types: Vec<Type<'a>>,
    codes: &'a Value,
}

/// A definition as TypeScript says it.
struct Type<'a> {
    name: &'a str,
    text: String,
    /// The methods that it is part of.
    users: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn new(schema: &'a Value, typescript: &str) -> Self {
        let methods = schema["x-method"].as_object().expect("a table");
        let definitions = schema["$defs"].as_object().expect("definitions");
        let users = users(methods, definitions);
        let mut types = Vec::new();
        // Variants stand before the union that they belong to.
        let mut variants = String::new();
        for block in typescript.split("\n\n").map(str::trim) {
            let Some(name) = block.lines().find_map(declared) else { continue };
            if let Some((name, _)) = definitions.get_key_value(name) {
                let text = std::mem::take(&mut variants) + block;
                let users = users.get(name.as_str()).cloned().unwrap_or_default();
                types.push(Type { name, text, users });
            } else if is_variant(definitions, name) {
                variants += block;
                variants += "\n\n";
            }
        }
        Self { methods, types, codes: &definitions["Code"] }
    }

    fn text(&self, examples: &Examples) -> String {
        let mut text = HEAD.to_owned();
        let mut told = 0;
        for (title, beginnings) in CHAPTERS {
            let _ = writeln!(text, "\n## {title}");
            let chapter = |beginning| self.methods.iter().filter(move |(name, _)| is_of(name, beginning));
            for (name, row) in beginnings.iter().copied().flat_map(chapter) {
                let example = examples.get(name).unwrap_or_else(|| panic!("{name} has no example"));
                self.method(&mut text, name, row, example);
                told += 1;
            }
        }
        assert_eq!(told, self.methods.len(), "a method is in no chapter, or in two");
        text += &errors(self.codes);
        text += "\n## Shared types\n";
        for shared in self.types.iter().filter(|shared| shared.is_shared()) {
            let _ = write!(text, "\n### {}\n\n```ts\n{}\n```\n", shared.name, shared.text);
        }
        text
    }

    fn method(&self, text: &mut String, name: &str, row: &Value, example: &[Value]) {
        let kind = if row.get("result").is_some() { "Request" } else { "Notification" };
        let from = match row["x-side"].as_str() {
            Some("daemon") => "from the client",
            Some("both") => "from either side",
            _ => "from the daemon",
        };
        let [since, summary] = ["x-since", "summary"].map(|member| row[member].as_str().unwrap_or_default());
        let _ = write!(text, "\n### {name}\n\n{kind} {from}, since {since}. {summary}\n");
        let links: Vec<String> = ["params", "result"].iter().filter_map(|member| self.link(row, member)).collect();
        if !links.is_empty() {
            let _ = write!(text, "\n{}\n", links.join(", "));
        }
        let own = self.types.iter().filter(|one| !one.is_shared() && one.users == [name]);
        let own: Vec<&str> = own.map(|one| one.text.as_str()).collect();
        if !own.is_empty() {
            let _ = write!(text, "\n```ts\n{}\n```\n", own.join("\n\n"));
        }
        let frames: Vec<String> = example.iter().map(|frame| laid_out(&shortened(frame), 0)).collect();
        let _ = write!(text, "\n```json\n{}\n```\n", frames.join("\n"));
    }

    /// To a type that stands elsewhere.
    fn link(&self, row: &Value, member: &str) -> Option<String> {
        let name = referenced(&row[member])?;
        let shared = self.types.iter().any(|one| one.name == name && one.is_shared());
        shared.then(|| format!("`{member}`: [`{name}`](#{})", name.to_lowercase()))
    }
}

/// Every name of an error and its number.
fn errors(codes: &Value) -> String {
    let mut text = "\n## Errors\n\nThe `data` of an error is `ErrorData`. Branch on its `code`.\n\n".to_owned();
    text += "| `data.code` | `code` |\n|---|---|\n";
    for code in codes["oneOf"].as_array().expect("names").iter().map(|variant| &variant["const"]) {
        let number = serde_json::from_value::<protocol::Code>(code.clone()).expect("a name").number();
        let _ = writeln!(text, "| `{}` | {number} |", code.as_str().unwrap_or_default());
    }
    text
}

impl Type<'_> {
    fn is_shared(&self) -> bool {
        self.users.len() != 1
    }
}

/// Whether the method is the one of that name, or in the namespace.
fn is_of(method: &str, beginning: &str) -> bool {
    method == beginning || (beginning.ends_with(['.', '/']) && method.starts_with(beginning))
}

fn users<'a>(methods: &'a Map<String, Value>, definitions: &'a Map<String, Value>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut users = BTreeMap::from([("ErrorData", vec![""])]);
    // Any method may end with an error.
    let error = [("", &definitions["ErrorData"])];
    for (method, row) in methods.iter().map(|(method, row)| (method.as_str(), row)).chain(error) {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![row];
        while let Some(value) = ahead.pop() {
            match value {
                Value::Object(members) => ahead.extend(members.values()),
                Value::Array(items) => ahead.extend(items),
                _ => {}
            }
            if let Some(name) = referenced(value).filter(|name| seen.insert(*name)) {
                users.entry(name).or_default().push(method);
                ahead.extend(definitions.get(name));
            }
        }
    }
    users
}

fn referenced(value: &Value) -> Option<&str> {
    value["$ref"].as_str()?.rsplit('/').next()
}

/// The name that a line of TypeScript declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("export interface ").or_else(|| line.strip_prefix("export type "))?;
    rest.split([' ', '<', '=']).next()
}

fn is_variant(definitions: &Map<String, Value>, name: &str) -> bool {
    let variants = definitions.values().flat_map(|definition| {
        ["oneOf", "anyOf"].into_iter().filter_map(|choice| definition[choice].as_array()).flatten()
    });
    variants.into_iter().any(|variant| variant["title"] == name)
}

/// As much of it as shows what it is like.
fn shortened(value: &Value) -> Value {
    const ITEMS: usize = 3;
    const MEMBERS: usize = 24;
    const LETTERS: usize = 240;
    match value {
        Value::Array(items) => {
            let more = (items.len() > ITEMS + 1).then(|| json!("…"));
            let kept = if more.is_some() { ITEMS - 1 } else { items.len() };
            items.iter().take(kept).map(shortened).chain(more).collect()
        }
        Value::Object(members) => {
            let kept = if members.len() > MEMBERS { 2 } else { members.len() };
            let more = (kept < members.len()).then(|| ("…".to_owned(), json!("…")));
            members.iter().take(kept).map(|(name, member)| (name.clone(), shortened(member))).chain(more).collect()
        }
        Value::String(text) if text.chars().count() > LETTERS => {
            format!("{}…", text.chars().take(LETTERS).collect::<String>()).into()
        }
        other => other.clone(),
    }
}

/// On one line what fits on one.
fn laid_out(value: &Value, indent: usize) -> String {
    const WIDTH: usize = 110;
    let flat = value.to_string();
    if indent + flat.chars().count() <= WIDTH {
        return flat;
    }
    let ahead = " ".repeat(indent + 2);
    let (open, lines, close): (_, Vec<String>, _) = match value {
        Value::Array(items) => ('[', items.iter().map(|item| laid_out(item, indent + 2)).collect(), ']'),
        Value::Object(members) => {
            let line = |(name, member): (&String, &Value)| format!("{}: {}", json!(name), laid_out(member, indent + 2));
            ('{', members.iter().map(line).collect(), '}')
        }
        _ => return flat,
    };
    format!("{open}\n{ahead}{}\n{}{close}", lines.join(&format!(",\n{ahead}")), " ".repeat(indent))
}
