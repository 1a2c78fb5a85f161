//! Lists of models, in the shapes they come in.

use serde_json::Value;
use url::Url;

use crate::model::ModelInfo;

/// Vendors with thousands of models give them all at once.
pub(super) const MAX_PAGES: usize = 20;

/// Where servers say how large the context is.
const WINDOW: [&str; 6] =
    ["/context_window", "/context_length", "/max_model_len", "/max_context_length", "/meta/n_ctx", "/meta/n_ctx_train"];

/// None if there is no list in it.
pub(super) fn read(answer: &Value) -> Option<Vec<ModelInfo>> {
    let named = |name: &&str| answer.get(name).and_then(Value::as_array);
    let list = answer.as_array().or_else(|| ["data", "models", "result", "items"].iter().find_map(named))?;
    Some(list.iter().filter_map(model).collect())
}

/// Whether there was a model in the page that was not in the list.
pub(super) fn append(list: &mut Vec<ModelInfo>, page: Vec<ModelInfo>) -> bool {
    let before = list.len();
    for model in page {
        if !list.iter().any(|known| known.id == model.id) {
            list.push(model);
        }
    }
    list.len() > before
}

/// Where the list goes on, if it does. Keys go with the request, so it must go on at the same origin.
pub(super) fn next_page(answer: &Value, home: &Url) -> Option<Url> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let asked = |name: &str, value: &str| {
        let mut url = home.clone();
        url.query_pairs_mut().append_pair(name, value);
        url
    };
    let has_more = answer.get("has_more").and_then(Value::as_bool).unwrap_or(false);
    let link = || text("next").and_then(|link| home.join(link).ok());
    let after = || text("last_id").filter(|_| has_more).map(|id| asked("after", id));
    let token = || text("nextPageToken").or_else(|| text("next_page_token")).map(|token| asked("pageToken", token));
    link().or_else(after).or_else(token).filter(|url| url.origin() == home.origin())
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
    use super::{append, first, next_page, read};
    use serde_json::{Value, json};
    use url::Url;

    fn check(answer: Value) -> Vec<String> {
        read(&answer).expect("a list").into_iter().map(|model| model.id).collect()
    }

    #[test]
    fn lists_of_all_shapes() {
        let entry = json!({"id": "models/a", "max_model_len": 8192});
        assert_eq!(check(json!({"object": "list", "data": [entry]})), ["a"]);
        assert_eq!(check(json!([entry, "b"])), ["a", "b"]);
        assert_eq!(check(json!({"models": [{"name": "c"}, {}]})), ["c"]);
        assert_eq!(check(json!({"success": true, "result": ["d"]})), ["d"]);
        let both = json!({"models": [{"name": "e.gguf", "model": "e.gguf"}], "object": "list", "data": [{"id": "e"}]});
        assert_eq!(check(both), ["e"]);
        assert_eq!(check(json!({"object": "list", "data": []})), [""; 0]);
        assert_eq!(read(&json!([entry])).unwrap()[0].context_window, Some(8192));
        assert!(read(&json!({"error": "no"})).is_none());
    }

    #[test]
    fn where_a_list_goes_on() {
        let home = Url::parse("https://h/v1/models").unwrap();
        let check = |answer: Value| next_page(&answer, &home).map(String::from);
        let expect = |answer: Value, url: &str| assert_eq!(check(answer).as_deref(), Some(url));
        expect(json!({"has_more": true, "last_id": "a b"}), "https://h/v1/models?after=a+b");
        expect(json!({"nextPageToken": "t"}), "https://h/v1/models?pageToken=t");
        expect(json!({"next": "/v1/models?page=2"}), "https://h/v1/models?page=2");
        expect(json!({"next": "https://h/v1/models?page=2"}), "https://h/v1/models?page=2");
        let ends = [json!({"has_more": false, "last_id": "a"}), json!({"next": null}), json!({"nextPageToken": ""})];
        for end in ends.into_iter().chain([json!([]), json!({"next": "https://elsewhere/v1/models?page=2"})]) {
            assert_eq!(check(end), None);
        }
    }

    #[test]
    fn a_page_that_says_nothing_new_is_the_last() {
        let mut list = Vec::new();
        assert!(append(&mut list, read(&json!(["a", "b"])).unwrap()));
        assert!(append(&mut list, read(&json!(["b", "c"])).unwrap()));
        assert!(!append(&mut list, read(&json!(["a", "c"])).unwrap()));
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn the_first_that_is_not_for_embeddings() {
        let models = |ids: &[&str]| read(&json!(ids)).unwrap();
        assert_eq!(first(&models(&["nomic-embed-text", "qwen"])).as_deref(), Some("qwen"));
        assert_eq!(first(&models(&["nomic-embed-text"])).as_deref(), Some("nomic-embed-text"));
        assert_eq!(first(&[]), None);
    }
}
