//! Lists of models: the public one, and the ChatGPT backend's.

use serde_json::Value;

use crate::model::ModelInfo;

/// None if there is no list in it.
pub(super) fn read(answer: &Value) -> Option<Vec<ModelInfo>> {
    let named = |name: &str| answer.get(name).and_then(Value::as_array);
    let list = answer.as_array().or_else(|| named("data")).or_else(|| named("models"))?;
    Some(list.iter().filter(is_shown).filter_map(model).collect())
}

/// The backend has some that only its own client may ask for.
fn is_shown(entry: &&Value) -> bool {
    entry.get("visibility").and_then(Value::as_str).is_none_or(|visibility| visibility != "hide")
}

fn model(entry: &Value) -> Option<ModelInfo> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = entry.as_str().or_else(|| ["id", "slug", "model", "name"].into_iter().find_map(text))?.to_owned();
    let name = text("display_name").or_else(|| text("name")).filter(|name| *name != id).map(str::to_owned);
    let windows = ["context_window", "max_context_window", "context_length", "max_model_len"];
    let context_window = windows.into_iter().find_map(|name| entry.get(name).and_then(Value::as_u64));
    Some(ModelInfo { id, name, context_window })
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn both_lists_are_read() {
        let public = read(&json!({ "object": "list", "data": [{ "id": "gpt-x", "object": "model" }] })).unwrap();
        assert_eq!((public[0].id.as_str(), public.len()), ("gpt-x", 1));
        let entry = json!({ "slug": "gpt-x", "display_name": "GPT X", "context_window": 9, "visibility": "list" });
        let hidden = json!({ "slug": "gpt-y", "visibility": "hide" });
        let backend = read(&json!({ "models": [entry, hidden] })).unwrap();
        assert_eq!((backend.len(), backend[0].name.as_deref(), backend[0].context_window), (1, Some("GPT X"), Some(9)));
        assert!(read(&json!({ "detail": "no" })).is_none());
    }
}
