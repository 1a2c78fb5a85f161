//! `cf-gateway-list-providers`: the vendors, under all their names, and which of them can chat.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ID;
use crate::model::ClientPlace;
use crate::plugins::status_skill::no_input;
use crate::providers::gateway::{VENDORS, Vendor};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub(super) fn skill() -> Skill {
    let spec = SkillSpec {
        id: "cf-gateway-list-providers".to_owned(),
        description: "List the vendors behind the gateway, how they are named and which of them can chat".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "providers".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, ListProviders)
}

struct ListProviders;

#[async_trait]
impl Handler for ListProviders {
    async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        Ok(json!({ "providers": VENDORS.iter().map(row).collect::<Vec<_>>() }))
    }
}

fn row(vendor: &Vendor) -> Value {
    let mut row = json!({
        "id": vendor.id,
        "name": vendor.name,
        "slug": vendor.slug,
        "compatPrefix": vendor.compat,
        "author": vendor.author,
        "spellings": vendor.spellings().collect::<Vec<_>>(),
        "keyHeader": vendor.key.header,
        "chat": vendor.not_chat.is_none(),
    });
    if let Some(purpose) = vendor.not_chat {
        row["whyNot"] = json!(format!("what it offers through the gateway is {purpose}"));
    }
    row
}
