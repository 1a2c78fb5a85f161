//! Lists of models, in the shapes they come in.

use serde_json::Value;

use crate::model::ModelInfo;

/// Where servers say how large the context is.
const WINDOW: [&str; 6] =
    ["/context_window", "/context_length", "/max_model_len", "/max_context_length", "/meta/n_ctx", "/meta/n_ctx_train"];

/// None if there is no list in it.
pub(super) fn read(answer: &Value) -> Option<Vec<ModelInfo>> {
    let named = |name: &str| answer.get(name).and_then(Value::as_array);
    let list = answer.as_array().or_else(|| named("data")).or_else(|| named("models"))?;
    Some(list.iter().filter_map(model).collect())
}

/// What to use when nobody said: the first that can hold a conversation.
pub(super) fn first(models: &[ModelInfo]) -> Option<String> {
    let talks = |model: &&ModelInfo| !model.id.to_ascii_lowercase().contains("embed");
    models.iter().find(talks).or(models.first()).map(|model| model.id.clone())
}

fn model(entry: &Value) -> Option<ModelInfo> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = entry.as_str().or_else(|| text("id")).or_else(|| text("model")).or_else(|| text("name"))?;
    let id = id.strip_prefix("models/").unwrap_or(id).to_owned();
    let name = text("display_name").or_else(|| text("name")).filter(|name| *name != id).map(str::to_owned);
    let context_window = WINDOW.iter().find_map(|at| entry.pointer(at).and_then(Value::as_u64));
    Some(ModelInfo { id, name, context_window })
}

#[cfg(test)]
mod tests {
    use super::{first, read};
    use serde_json::{Value, json};

    fn check(answer: Value) -> Vec<String> {
        read(&answer).expect("a list").into_iter().map(|model| model.id).collect()
    }

    #[test]
    fn lists_of_all_shapes() {
        let entry = json!({"id": "models/a", "max_model_len": 8192});
        assert_eq!(check(json!({"object": "list", "data": [entry]})), ["a"]);
        assert_eq!(check(json!([entry, "b"])), ["a", "b"]);
        assert_eq!(check(json!({"models": [{"name": "c"}, {}]})), ["c"]);
        assert_eq!(read(&json!([entry])).unwrap()[0].context_window, Some(8192));
        assert!(read(&json!({"error": "no"})).is_none());
    }

    #[test]
    fn the_first_that_is_not_for_embeddings() {
        let models = |ids: &[&str]| read(&json!(ids)).unwrap();
        assert_eq!(first(&models(&["nomic-embed-text", "qwen"])).as_deref(), Some("qwen"));
        assert_eq!(first(&models(&["nomic-embed-text"])).as_deref(), Some("nomic-embed-text"));
        assert_eq!(first(&[]), None);
    }
}
