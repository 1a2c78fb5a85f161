//! A skill's result as text for a person: bullets for what is named or listed, bounded in every direction.

use serde_json::Value;

use crate::model::ToolResult;

const MAX_ITEMS: usize = 20;
const MAX_DEPTH: usize = 4;
const MAX_STRING: usize = 400;
const MAX_TEXT: usize = 6000;

pub(super) fn result(result: &ToolResult) -> String {
    let name = &result.name;
    // A fence in it could pass for a block of ours.
    let content = result.content.replace("```", "'''");
    let value = serde_json::from_str::<Value>(&content).unwrap_or(Value::String(content));
    let text = match (&value, text_of(&value)) {
        _ if result.is_error => format!("{name} failed: {}", fault(&value)),
        (_, Some("")) => format!("{name} is done; it had nothing to say."),
        (_, Some(text)) if text.contains('\n') => format!("{name}:\n{}", cut(text, MAX_TEXT)),
        (_, Some(text)) => format!("{name}: {}", cut(text, MAX_TEXT)),
        (Value::Object(_) | Value::Array(_), None) => format!("{name}:{}", nested(&value, 0)),
        (scalar, None) => format!("{name}: {}", plain(scalar)),
    };
    cut(&text, MAX_TEXT)
}

/// A result that is nothing but text.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.trim()),
        Value::Object(map) if map.len() == 1 => map.get("text").and_then(Value::as_str).map(str::trim),
        _ => None,
    }
}

/// Results of failed calls say why in one of a few usual places.
fn fault(value: &Value) -> String {
    let said = ["/error/message", "/error", "/message"].iter().find_map(|at| value.pointer(at)?.as_str());
    cut(said.map_or_else(|| plain(value), str::to_owned).trim(), MAX_STRING)
}

/// Starts with a space if it goes on in the line, with a new line if not.
fn nested(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(map) if !map.is_empty() && depth < MAX_DEPTH => {
            let lines = map.iter().take(MAX_ITEMS).map(|(key, value)| {
                let value = nested(value, depth + 1);
                bullet(depth, &format!("{key}:{value}"))
            });
            lines.collect::<String>() + &more(map.len(), depth)
        }
        Value::Array(items) if items.iter().any(is_compound) && depth < MAX_DEPTH => {
            let lines = items.iter().take(MAX_ITEMS).map(|item| bullet(depth, &in_line(item)));
            lines.collect::<String>() + &more(items.len(), depth)
        }
        Value::String(text) if text.contains('\n') => {
            let indent = "  ".repeat(depth + 1);
            let text = cut(text.trim_end(), MAX_TEXT);
            text.lines().map(|line| format!("\n{indent}{line}")).collect()
        }
        other => format!(" {}", in_line(other)),
    }
}

fn bullet(depth: usize, text: &str) -> String {
    format!("\n{}- {text}", "  ".repeat(depth))
}

fn more(count: usize, depth: usize) -> String {
    if count > MAX_ITEMS { bullet(depth, &format!("… and {} more", count - MAX_ITEMS)) } else { String::new() }
}

fn is_compound(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

/// `name: a; plugins: b, c`.
fn in_line(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let pairs = map.iter().take(MAX_ITEMS).map(|(key, value)| match value {
                Value::Object(_) => format!("{key}: {}", plain(value)),
                _ => format!("{key}: {}", in_line(value)),
            });
            pairs.collect::<Vec<_>>().join("; ")
        }
        Value::Array(items) if !items.is_empty() => {
            let mut texts: Vec<_> = items.iter().take(MAX_ITEMS).map(plain).collect();
            if items.len() > MAX_ITEMS {
                texts.push(format!("… and {} more", items.len() - MAX_ITEMS));
            }
            texts.join(", ")
        }
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => cut(&text.replace('\n', " "), MAX_STRING),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        other => cut(&other.to_string(), MAX_STRING),
    }
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}… (cut)", &text[..end]),
        None => text.to_owned(),
    }
}
