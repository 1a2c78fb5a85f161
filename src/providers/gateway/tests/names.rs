use std::fmt::Write;

use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::{no_duplicates, settings};
use crate::model::ErrorKind;
use crate::providers::gateway::doors::{Door, Facts, plan};
use crate::providers::gateway::model_id::{ModelId, spellings};
use crate::providers::gateway::vendors::{NAMED_FIRST, VENDORS};

const DOORS: [Door; 5] = [Door::Completions, Door::Messages, Door::Universal, Door::Compat, Door::Native];

/// Every vendor at every door: what its model is called there, and where it is asked for.
#[test]
fn every_vendor_at_every_door() {
    let mut table = String::new();
    let custom = ["dynamic/route".to_owned(), "custom-mine/model".to_owned()];
    for id in VENDORS.iter().map(|vendor| format!("{}/model", vendor.id)).chain(custom) {
        let model = match ModelId::for_chat(&id) {
            Ok(model) => model,
            Err(error) => {
                writeln!(table, "{id}\n  refused: {error}").unwrap();
                continue;
            }
        };
        let tried = |facts| match plan(&model, facts) {
            Ok(doors) => doors.iter().map(|door| format!("{door:?}")).collect::<Vec<_>>().join(", "),
            Err(error) => format!("{:?}: {error}", error.kind),
        };
        let with_token = Facts { has_api_token: true, ..Facts::default() };
        writeln!(table, "{id}\n  tries: {}", tried(with_token)).unwrap();
        writeln!(table, "  without a token: {}", tried(Facts::default())).unwrap();
        writeln!(table, "  forced: {}", tried(Facts { force_compat: true, ..with_token })).unwrap();
        for door in DOORS {
            if let Some(name) = model.at(door) {
                let url = door.url(&settings(), &model);
                writeln!(table, "  {door:?}: {name} at {url}").unwrap();
            }
        }
    }
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gateway/snapshots"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| insta::assert_snapshot!("doors", table));
}

#[test]
fn no_two_vendors_share_a_name() {
    assert!(no_duplicates(VENDORS.iter().map(|vendor| vendor.id)));
    assert!(no_duplicates(spellings()));
    assert_eq!(VENDORS.iter().take(NAMED_FIRST).filter(|vendor| vendor.id == "workers-ai").count(), 1);
}

#[test]
fn models_are_understood_in_every_spelling() {
    let check = |text: &str, expected: &str| assert_eq!(ModelId::parse(text).unwrap().to_string(), expected, "{text}");
    check("anthropic/claude-opus-4-6", "anthropic/claude-opus-4-6");
    check(" Anthropic/Claude-X ", "anthropic/Claude-X");
    check("google/gemini-3-pro", "google-ai-studio/gemini-3-pro");
    check("google-ai-studio/gemini-3-pro", "google-ai-studio/gemini-3-pro");
    check("Google_AI_Studio/gemini-3-pro", "google-ai-studio/gemini-3-pro");
    check("xai/grok-4", "xai/grok-4");
    check("grok/grok-4", "xai/grok-4");
    check("perplexity-ai/sonar", "perplexity/sonar");
    check("azure/deployment", "azure-openai/deployment");
    check("aws-bedrock/us.anthropic.claude", "amazon-bedrock/us.anthropic.claude");
    check("@cf/meta/llama-3.1-8b-instruct", "workers-ai/@cf/meta/llama-3.1-8b-instruct");
    check("workers-ai/@cf/meta/llama", "workers-ai/@cf/meta/llama");
    check("workers-ai/meta/llama", "workers-ai/@cf/meta/llama");
    check("google-vertex-ai/google/gemini-3-pro", "google-vertex-ai/google/gemini-3-pro");
    check("vertex/gemini-3-pro", "google-vertex-ai/google/gemini-3-pro");
    check("openrouter/anthropic/claude-x", "openrouter/anthropic/claude-x");
    check("dynamic/support", "dynamic/support");
    check("Custom-Mine/model", "custom-mine/model");
    check("Z.AI/glm-5", "z-ai/glm-5");
}

#[test]
fn every_spelling_of_the_table_is_understood() {
    for vendor in &VENDORS {
        for spelling in vendor.spellings() {
            let id = ModelId::parse(&format!("{}/m", spelling.to_uppercase())).unwrap();
            assert_eq!(id.vendor().unwrap().id, vendor.id, "{spelling}");
        }
        let by_its_name = ModelId::parse(&format!("{}/m", vendor.name)).unwrap();
        assert_eq!(by_its_name.vendor().unwrap().id, vendor.id);
    }
}

#[test]
fn what_is_no_model_is_refused_with_advice() {
    let check = |text: &str, says: &str, hint: &str| {
        let error = ModelId::for_chat(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{text}");
        assert!(error.message.contains(says), "{error}");
        assert!(error.hint.unwrap_or_default().contains(hint), "{text}");
    };
    check("gpt-4.1", "lacks its vendor: models of the gateway are named provider/model-name", "anthropic/claude");
    check("openai/", "names no model", "");
    check("open4i/gpt", "no provider 'open4i'", "did you mean openai?");
    check("qqqqqqqqqqqqqqq/x", "no provider", "the providers are anthropic, openai");
    check("elevenlabs/eleven_v3", "elevenlabs is not a chat provider", "cf-gateway-list-providers");
    check("Fal AI/flux", "fal is not a chat provider", "cf-gateway-list-providers");
    check("Hugging Face/m", "huggingface is not a chat provider", "cf-gateway-list-providers");
    check("custom-../x", "no provider", "");
    check("openai/gpt\n4", "names no model", "");
}

fn text() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        (0..VENDORS.len()).prop_flat_map(|row| proptest::sample::select(VENDORS[row].spellings().collect::<Vec<_>>())),
        Just("dynamic"),
        Just("custom-a1"),
        Just("@cf"),
        Just("no-such"),
    ];
    (prefix, any::<bool>(), "[ -~]{0,12}(/[ -~]{0,12})?").prop_map(|(prefix, upper, name)| {
        let prefix = if upper { prefix.to_uppercase() } else { prefix.to_owned() };
        format!("{prefix}/{name}")
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(text in text()) {
        if let Ok(id) = ModelId::parse(&text) {
            let again = ModelId::parse(&id.to_string()).expect("what we write we can read");
            prop_assert_eq!(&again, &id);
            prop_assert_eq!(again.to_string(), id.to_string());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(id) = ModelId::parse(&text) {
            prop_assert_eq!(ModelId::parse(&id.to_string()).expect("what we write we can read"), id);
        }
    }
}
