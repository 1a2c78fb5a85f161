//! The catalogue of models, page by page. The gateway lists it as well.

use serde_json::Value;
use url::Url;

use crate::model::{ModelInfo, ProviderError};
use crate::providers::http::{Http, HttpRequest};
use crate::providers::upstream::Source;

/// What holds a conversation, in the catalogue's words.
const TASK: &str = "Text Generation";
const PAGE_SIZE: usize = 100;
/// Many more than there are.
const MAX_PAGES: usize = 20;

/// All pages of the catalogue; `sign` says who asks.
pub(in crate::providers) async fn list(
    http: &Http,
    source: &Source,
    catalogue: &Url,
    sign: impl Fn(HttpRequest) -> Result<HttpRequest, ProviderError>,
) -> Result<Vec<ModelInfo>, ProviderError> {
    let mut models: Vec<ModelInfo> = Vec::new();
    for number in 1..=MAX_PAGES {
        let request = sign(HttpRequest::get(page_url(catalogue, number)))?;
        let answer = source.ask(http, &request).await?;
        let page = read(&answer, number).ok_or_else(|| source.misunderstood(&answer.to_string()))?;
        // A server that knows no pages gives the same one again.
        let is_known = |new: &ModelInfo| models.iter().any(|model| model.id == new.id);
        let ends = page.is_last || page.models.iter().any(is_known);
        let new: Vec<ModelInfo> = page.models.into_iter().filter(|new| !is_known(new)).collect();
        models.extend(new);
        if ends {
            break;
        }
    }
    Ok(models)
}

fn page_url(catalogue: &Url, page: usize) -> Url {
    let mut url = catalogue.clone();
    let (page, size) = (page.to_string(), PAGE_SIZE.to_string());
    url.query_pairs_mut().append_pair("task", TASK).append_pair("page", &page).append_pair("per_page", &size);
    url
}

#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) models: Vec<ModelInfo>,
    pub(super) is_last: bool,
}

/// None if there is no list in it.
pub(super) fn read(answer: &Value, page: usize) -> Option<Page> {
    let rows = answer.get("result")?.as_array()?;
    let pages = answer.pointer("/result_info/total_pages").and_then(Value::as_u64);
    let is_last = rows.is_empty() || pages.map_or(rows.len() < PAGE_SIZE, |pages| page as u64 >= pages);
    Some(Page { models: rows.iter().filter_map(model).collect(), is_last })
}

/// The catalogue's `id` is a number of its own; `name` is what models are called by.
fn model(row: &Value) -> Option<ModelInfo> {
    let task = row.pointer("/task/name").and_then(Value::as_str);
    let id = row.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())?.to_owned();
    let context_window = property(row, "context_window").or_else(|| property(row, "max_input_length"));
    task.is_none_or(|task| task == TASK).then_some(ModelInfo { id, name: None, context_window })
}

fn property(row: &Value, name: &str) -> Option<u64> {
    let properties = row.get("properties")?.as_array()?;
    let value = properties.iter().find(|property| property["property_id"] == name)?.get("value")?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
