//! Filling a skill's required input from the words of a request.
//!
//! What stands in quotes, URLs and numbers are given in order to the properties that can take them. A lone required
//! string that asks for prose gets the whole text. Optional properties are left alone.

use serde_json::{Map, Number, Value};

/// Such a property wants the name of one thing, not a sentence.
const NAMING: [&str; 9] = ["id", "ids", "name", "url", "uri", "path", "file", "email", "key"];

/// The input, or the required properties that the text does not give.
pub(super) fn fill(schema: &Value, text: &str) -> Result<Value, Vec<String>> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut given = Given::of(text);
    let (mut input, mut missing) = (Map::new(), Vec::new());
    let lone = required.len() == 1;
    for name in required {
        match given.value_for(name, &schema["properties"][name], lone) {
            Some(value) => drop(input.insert(name.to_owned(), value)),
            None => missing.push(name.to_owned()),
        }
    }
    if missing.is_empty() { Ok(Value::Object(input)) } else { Err(missing) }
}

/// What a text offers, each taken once.
struct Given<'a> {
    text: &'a str,
    quoted: Vec<&'a str>,
    urls: Vec<&'a str>,
    numbers: Vec<Number>,
}

impl<'a> Given<'a> {
    fn of(text: &'a str) -> Self {
        let bare = |word: &'a str| word.trim_matches(|c: char| "()<>[]{},.;:!?\"'`".contains(c));
        let words = || text.split_whitespace().map(bare);
        let urls = words().filter(|word| word.starts_with("http://") || word.starts_with("https://"));
        let numbers = words().filter(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        let numbers = numbers.filter_map(|word| serde_json::from_str(word).ok());
        Self { text: text.trim(), quoted: quoted(text), urls: urls.collect(), numbers: numbers.collect() }
    }

    fn value_for(&mut self, name: &str, property: &Value, lone: bool) -> Option<Value> {
        if let Some(choices) = property["enum"].as_array() {
            let text = self.text.to_lowercase();
            let said = |choice: &&Value| choice.as_str().is_some_and(|choice| text.contains(&choice.to_lowercase()));
            return choices.iter().find(said).cloned();
        }
        match property["type"].as_str() {
            Some("string") => self.string(name, lone).map(Value::String),
            Some("integer") => {
                let at = self.numbers.iter().position(|number| number.is_i64() || number.is_u64())?;
                Some(Value::Number(self.numbers.remove(at)))
            }
            Some("number") => take(&mut self.numbers).map(Value::Number),
            _ => None,
        }
    }

    fn string(&mut self, name: &str, lone: bool) -> Option<String> {
        let kind = last_part(name);
        if matches!(kind.as_str(), "url" | "uri") {
            return take(&mut self.urls).map(str::to_owned);
        }
        if let Some(quoted) = take(&mut self.quoted) {
            return Some(quoted.to_owned());
        }
        if NAMING.contains(&kind.as_str()) {
            return if kind == "id" { take(&mut self.numbers).map(|number| number.to_string()) } else { None };
        }
        (lone && !self.text.is_empty()).then(|| self.text.to_owned())
    }
}

fn take<T>(values: &mut Vec<T>) -> Option<T> {
    if values.is_empty() { None } else { Some(values.remove(0)) }
}

/// `id` of `zoneId` and of `zone_id`.
fn last_part(name: &str) -> String {
    let start = name.rfind(|c: char| c.is_ascii_uppercase() || c == '_' || c == '-').unwrap_or_default();
    name[start..].trim_start_matches(['_', '-']).to_ascii_lowercase()
}

/// An apostrophe is no quote: those open after a space.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(at, c)| opens(&rest[..*at], *c)) {
        let inside = &rest[at + open.len_utf8()..];
        let close = if open == '“' { '”' } else { open };
        let Some(end) = inside.find(close) else { break };
        if end > 0 {
            found.push(&inside[..end]);
        }
        rest = &inside[end + close.len_utf8()..];
    }
    found
}

fn opens(before: &str, c: char) -> bool {
    match c {
        '"' | '`' | '“' => true,
        '\'' => before.chars().next_back().is_none_or(|last| last.is_whitespace() || last == '('),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::fill;

    fn check(properties: Value, text: &str, expected: Value) {
        let names: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({"type": "object", "properties": properties, "required": names});
        assert_eq!(fill(&schema, text).unwrap_or_else(|missing| json!({"missing": missing})), expected, "{text}");
    }

    #[test]
    fn required_properties_are_filled_from_the_text() {
        let string = json!({"type": "string"});
        check(json!({}), "anything", json!({}));
        check(json!({"goal": string}), " host my dns ", json!({"goal": "host my dns"}));
        check(json!({"goal": string}), "suggest for 'a shop' please", json!({"goal": "a shop"}));
        check(json!({"goal": string}), "it's what I don't have", json!({"goal": "it's what I don't have"}));
        check(
            json!({"url": string}),
            "fetch (https://example.com/a?b=1).",
            json!({"url": "https://example.com/a?b=1"}),
        );
        check(json!({"url": string}), "fetch the page", json!({"missing": ["url"]}));
        check(json!({"zoneId": string}), "list the records", json!({"missing": ["zoneId"]}));
        check(json!({"zone_id": string}), "records of `ab12`", json!({"zone_id": "ab12"}));
        check(json!({"id": string}), "show mail 42", json!({"id": "42"}));
        check(json!({"to": string, "body": string}), "send \"hi\"", json!({"missing": ["body"]}));
        check(json!({"to": string, "body": string}), "to “a@b.c”: \"hi\"", json!({"to": "a@b.c", "body": "hi"}));
        let numbers = json!({"days": {"type": "integer"}, "ratio": {"type": "number"}});
        check(numbers, "over 0.5, in 7 days", json!({"days": 7, "ratio": 0.5}));
        check(json!({"level": {"enum": ["low", "high"]}}), "set it HIGH", json!({"level": "high"}));
        check(json!({"messages": {"type": "array"}}), "chat", json!({"missing": ["messages"]}));
    }
}
