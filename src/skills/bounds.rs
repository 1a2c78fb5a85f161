//! How much work a schema may make of the check of an input, where it is not the user's own.
//!
//! A schema that refers to itself in two places, or that unfolds without end, takes more time than there is for an input
//! of a few bytes; nobody else is served meanwhile.

use serde_json::Value;

/// Places of a schema, with every reference followed.
const MOST_PLACES: usize = 1024;
/// References that lead back to where they stand.
const MOST_RECURSIONS: usize = 1;

/// Why the schema cannot be taken, if it cannot.
pub fn unbounded(schema: &Value) -> Option<String> {
    let mut walk = Walk { root: schema, inside: Vec::new(), places: 0, recursions: 0 };
    walk.go(schema).err()
}

struct Walk<'a> {
    root: &'a Value,
    /// The references that are being followed.
    inside: Vec<&'a str>,
    places: usize,
    recursions: usize,
}

impl<'a> Walk<'a> {
    fn go(&mut self, place: &'a Value) -> Result<(), String> {
        match place {
            Value::Object(members) => {
                self.places += 1;
                if self.places > MOST_PLACES {
                    return Err(format!("it has more than {MOST_PLACES} places, with all references followed"));
                }
                let is_root = std::ptr::eq(place, self.root);
                for (name, member) in members {
                    match (name.as_str(), member.as_str()) {
                        ("$ref", Some(reference)) => self.follow(reference)?,
                        ("$dynamicRef" | "$recursiveRef", Some(_)) => return Err(format!("it has '{name}'")),
                        ("$id", Some(_)) if !is_root => return Err("it has '$id' within".to_owned()),
                        // They count where they are referred to.
                        ("$defs" | "definitions", None) if is_root => {}
                        _ => self.go(member)?,
                    }
                }
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.go(item)),
            _ => Ok(()),
        }
    }

    fn follow(&mut self, reference: &'a str) -> Result<(), String> {
        if self.inside.contains(&reference) || reference == "#" {
            self.recursions += 1;
            let often = format!("it refers to itself more than once, as at '{reference}'");
            return if self.recursions > MOST_RECURSIONS { Err(often) } else { Ok(()) };
        }
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let target = target.ok_or_else(|| format!("'{reference}' leads to no place within it"))?;
        self.inside.push(reference);
        let outcome = self.go(target);
        self.inside.pop();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(schema: &Value, why: &str) {
        let fault = unbounded(schema).unwrap_or_else(|| panic!("{schema} is taken"));
        assert!(fault.contains(why), "{fault}");
    }

    #[test]
    fn usual_schemas_are_taken() {
        let tree = json!({
            "$id": "https://a.example/tree",
            "properties": { "root": { "$ref": "#/$defs/node" }, "$ref": { "type": "string" } },
            "$defs": { "node": { "properties": { "children": { "items": { "$ref": "#/$defs/node" } } } } },
        });
        let members: serde_json::Map<String, Value> =
            (0..500).map(|number| (format!("m{number}"), json!({ "type": "string" }))).collect();
        for schema in
            [json!({}), json!(true), tree, json!({ "properties": members }), json!({ "items": { "$ref": "#" } })]
        {
            assert_eq!(unbounded(&schema), None, "{schema}");
        }
    }

    #[test]
    fn what_unfolds_without_end_is_refused() {
        let child = json!({ "properties": { "child": { "$ref": "#/$defs/node" } } });
        refused(&json!({ "$ref": "#/$defs/node", "$defs": { "node": { "anyOf": [child, child, {}] } } }), "itself");
        let doubled: serde_json::Map<String, Value> = (0..40)
            .map(|level| {
                let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
                (format!("l{level}"), json!({ "allOf": [next, next] }))
            })
            .chain([("l40".to_owned(), json!({}))])
            .collect();
        refused(&json!({ "$ref": "#/$defs/l0", "$defs": doubled }), "places");
        refused(&json!({ "$dynamicRef": "#node" }), "$dynamicRef");
        refused(&json!({ "items": { "$id": "https://a.example/b" } }), "$id");
        for reference in ["https://a.example/b", "#name", "file:///etc/hosts", "#/nowhere"] {
            refused(&json!({ "$ref": reference }), "leads to no place");
        }
    }
}
