//! `codex-setup-instructions`: how each way in is set up, and how far that has come here. No secret is shown.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ID;
use crate::config::{self, Config, SETTINGS};
use crate::model::Provider;
use crate::plugins::Readiness;
use crate::providers::codex::{Access, Codex, Owner};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// One way in.
struct Guide {
    mode: &'static str,
    title: &'static str,
    steps: &'static [&'static str],
    /// By their environment names.
    settings: &'static [&'static str],
    notes: &'static [&'static str],
}

const GUIDES: [Guide; 3] = [
    Guide {
        mode: "api-key",
        title: "An API key, billed by use",
        steps: &[
            "Make a key at platform.openai.com/api-keys.",
            "Set OPENAI_API_KEY to it.",
            "For a proxy or another server with the same API, set OPENAI_BASE_URL.",
            "If ALLOWED_HOSTS is set, add api.openai.com, or the host of OPENAI_BASE_URL.",
            "Start the daemon again, and run codex-status.",
        ],
        settings: &["OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_DEFAULT_MODEL"],
        notes: &["It goes before the tokens of a subscription where both are set."],
    },
    Guide {
        mode: "chatgpt-tokens",
        title: "A ChatGPT subscription, by the sign-in of the Codex CLI",
        steps: &[
            "Install the Codex CLI, and run `codex login`.",
            "Set CODEX_HOME to the directory where it keeps auth.json, usually ~/.codex; or set CODEX_ACCESS_TOKEN to \
             the access_token in there, and CODEX_ID_TOKEN to the id_token.",
            "If ALLOWED_HOSTS is set, add chatgpt.com, or the host of CODEX_BACKEND_URL.",
            "Start the daemon again, and run codex-status.",
        ],
        settings: &["CODEX_HOME", "CODEX_ACCESS_TOKEN", "CODEX_ID_TOKEN", "CODEX_BACKEND_URL", "CODEX_DEFAULT_MODEL"],
        notes: &[
            "Calls count against the limits of the subscription; codex-status shows them.",
            "auth.json is read and never written, and its tokens are not refreshed: when calls are refused with 401, \
             run `codex login` again, or use the Codex CLI, which refreshes them.",
            "The backend is no public API and may change; whether its terms allow other clients than OpenAI's is for \
             you to judge.",
        ],
    },
    Guide {
        mode: "oauth-device",
        title: "A ChatGPT subscription, by a sign-in of the daemon's own",
        steps: &[
            "Set CODEX_OAUTH_CLIENT_ID to the OAuth client that the daemon signs in as.",
            "If ALLOWED_HOSTS is set, add auth.openai.com and chatgpt.com, or the hosts of CODEX_OAUTH_ISSUER and \
             CODEX_BACKEND_URL.",
            "Run `open-think login codex`, open the address that it shows, and type in the code.",
            "Run codex-status. A daemon that has been running with CODEX_OAUTH_CLIENT_ID set needs no new start.",
        ],
        settings: &["CODEX_OAUTH_CLIENT_ID", "CODEX_OAUTH_ISSUER", "CODEX_BACKEND_URL", "CODEX_DEFAULT_MODEL"],
        notes: &[
            "The tokens are kept in codex-login.json in the state directory, which only you can read, and are \
             refreshed about five minutes before they expire.",
            "It goes before the sign-in of the Codex CLI, and behind an API key and CODEX_ACCESS_TOKEN.",
            "Without CODEX_OAUTH_CLIENT_ID the same command signs a Codex app-server in, if one is configured; that \
             then keeps the tokens.",
            "`open-think logout codex` deletes the tokens and has them revoked.",
        ],
    },
];

pub(super) fn skill(config: &Config, codex: Option<Arc<Codex>>, readiness: &Readiness) -> Skill {
    let modes: Vec<&str> = GUIDES.iter().map(|guide| guide.mode).collect();
    let spec = SkillSpec {
        id: "codex-setup-instructions".to_owned(),
        description: "How to set up OpenAI's models, by API key or by a ChatGPT subscription".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "setup".to_owned()],
        input_schema: json!({
            "type": "object",
            "properties": { "mode": { "enum": modes, "description": "all of them if left out" } },
            "additionalProperties": false,
        }),
        dangerous: false,
    };
    let problem = Some(readiness.hint().to_owned()).filter(|hint| !hint.is_empty());
    Skill::new(spec, Setup { codex, set: set(config), problem })
}

/// The names of the settings that are set, or not left at their default.
fn set(config: &Config) -> Vec<&'static str> {
    let (codex, default) = (&config.codex, config::Codex::default());
    let known = [
        ("OPENAI_API_KEY", codex.api_key.is_some()),
        ("OPENAI_BASE_URL", codex.base_url != default.base_url),
        ("CODEX_BACKEND_URL", codex.backend_url != default.backend_url),
        ("CODEX_ACCESS_TOKEN", codex.access_token.is_some()),
        ("CODEX_ID_TOKEN", codex.id_token.is_some()),
        ("CODEX_HOME", codex.home.is_some()),
        ("CODEX_OAUTH_CLIENT_ID", codex.oauth_client_id.is_some()),
        ("CODEX_OAUTH_ISSUER", codex.oauth_issuer != default.oauth_issuer),
        ("CODEX_DEFAULT_MODEL", codex.default_model.is_some()),
    ];
    known.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

struct Setup {
    codex: Option<Arc<Codex>>,
    set: Vec<&'static str>,
    problem: Option<String>,
}

#[async_trait]
impl Handler for Setup {
    async fn run(&self, input: Value) -> Result<Value, SkillError> {
        let wanted = input.get("mode").and_then(Value::as_str);
        let guides = GUIDES.iter().filter(|guide| wanted.is_none_or(|mode| mode == guide.mode));
        let lack = self.codex.as_ref().and_then(|codex| codex.lack());
        let used = self.codex.as_ref().filter(|_| lack.is_none());
        let guide_used = used.map(|codex| guide_of(codex.access()));
        let told = |guide: &Guide| (self.told(guide, guide_used), text(guide));
        let (modes, texts): (Vec<Value>, Vec<String>) = guides.map(told).unzip();
        let mode = used.map(|codex| codex.access().mode());
        let mut output = json!({ "mode": mode, "configured": used.is_some(), "modes": modes });
        if let Some(problem) = lack.as_ref().or(self.problem.as_ref()) {
            output["problem"] = json!(problem);
        }
        output["text"] = json!(texts.join("\n\n"));
        Ok(output)
    }
}

impl Setup {
    fn told(&self, guide: &Guide, used: Option<&str>) -> Value {
        let known = |name: &&str| SETTINGS.iter().find(|setting| setting.name == *name);
        let settings = guide.settings.iter().filter_map(known).map(|setting| {
            let set = self.set.contains(&setting.name);
            json!({ "name": setting.name, "about": setting.about, "set": set, "default": setting.default })
        });
        json!({
            "mode": guide.mode,
            "title": guide.title,
            "inUse": used == Some(guide.mode),
            "steps": guide.steps,
            "settings": settings.collect::<Vec<_>>(),
            "notes": guide.notes,
        })
    }
}

/// The guide that led there.
fn guide_of(access: &Access) -> &'static str {
    match access {
        Access::ChatGptTokens(by_tokens) if by_tokens.tokens().owner() == Owner::Daemon => "oauth-device",
        access => access.mode(),
    }
}

fn text(guide: &Guide) -> String {
    let steps = (1..).zip(guide.steps).map(|(number, step)| format!("{number}. {step}"));
    let notes = guide.notes.iter().map(|note| format!("- {note}"));
    let lines = [format!("{}:", guide.title)].into_iter().chain(steps).chain(notes);
    lines.collect::<Vec<_>>().join("\n")
}
