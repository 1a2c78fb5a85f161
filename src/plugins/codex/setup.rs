//! `codex-setup-instructions`: how each way in is set up, and how far that has come here. No secret is shown.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Behind, ID};
use crate::config::{self, Config, SETTINGS};
use crate::model::ClientPlace;
use crate::plugins::Readiness;
use crate::providers::codex::{Access, Owner};
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

/// In the order in which they are taken.
const GUIDES: [Guide; 5] = [
    Guide {
        mode: "app-server",
        title: "A Codex app-server that runs already, with its own sign-in",
        steps: &[
            "Where it is to run, install the Codex CLI (`npm install -g @openai/codex`) and run `codex login`.",
            "On this machine: run `codex app-server --listen unix:///path/to/codex.sock`, or `codex app-server --listen \
             ws://127.0.0.1:4500`. Elsewhere: put a token into a file, run `codex app-server --listen \
             ws://127.0.0.1:4500 --ws-auth capability-token --ws-token-file /path/to/it`, and TLS or a tunnel before it.",
            "Set CODEX_APP_SERVER_URL to its address (unix:///path, ws://127.0.0.1:4500, wss://host), and \
             CODEX_APP_SERVER_TOKEN to the token.",
            "If ALLOWED_HOSTS is set, add its host.",
            "Start the daemon again, and run codex-status.",
        ],
        settings: &[
            "CODEX_APP_SERVER_URL",
            "CODEX_APP_SERVER_TOKEN",
            "CODEX_APP_SERVER_TIMEOUT_MS",
            "CODEX_DEFAULT_MODEL",
        ],
        notes: &[
            "Recommended for a ChatGPT subscription: the app-server keeps the sign-in fresh, and its threads stay warm.",
            "Whoever reaches it may do there what its user may: keep it on loopback or a socket, or give it a token.",
            "http:// and https:// are for shims that take one request a POST; a bare host gets the path /rpc.",
            "Turns work in the directory that `cwd` under [codex] names, by default the daemon's own, and no further than \
             `sandbox` allows: read-only, workspace-write (the default) or danger-full-access. Plans are always read-only.",
            "codex.rpc and the skill codex-rpc refuse methods that reach files, processes, the configuration or the \
             sign-in. `refuse_methods` under [codex] is that list; an empty one lets everything through, and a thread \
             that is started so may have a wider sandbox.",
        ],
    },
    Guide {
        mode: "app-server-spawn",
        title: "A Codex app-server that the daemon starts, with the sign-in of the Codex CLI",
        steps: &[
            "Install the Codex CLI (`npm install -g @openai/codex`), and run `codex login`.",
            "Put `spawn = true` under [codex] in the configuration file, which `open-think config path` names.",
            "If `codex` is not on the PATH of the daemon, set CODEX_BIN to where it is.",
            "Start the daemon again, and run codex-status.",
        ],
        settings: &["CODEX_BIN", "CODEX_HOME", "CODEX_APP_SERVER_TIMEOUT_MS", "CODEX_DEFAULT_MODEL"],
        notes: &[
            "It ends with the daemon. Of the environment it gets the usual variables, and those that `env` under [codex] \
             names.",
            "CODEX_APP_SERVER_URL goes before it where both are set.",
        ],
    },
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
        notes: &["It goes before the tokens of a subscription, and behind an app-server, where both are set."],
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
            "It goes before the sign-in of the Codex CLI, and behind an app-server, an API key and CODEX_ACCESS_TOKEN.",
            "Without CODEX_OAUTH_CLIENT_ID the same command signs a Codex app-server in, if one is configured; that \
             then keeps the tokens.",
            "`open-think logout codex` deletes the tokens and has them revoked.",
        ],
    },
];

pub(super) fn skill(config: &Config, behind: Option<Behind>, readiness: &Readiness) -> Skill {
    let modes: Vec<&str> = GUIDES.iter().map(|guide| guide.mode).collect();
    let spec = SkillSpec {
        id: "codex-setup-instructions".to_owned(),
        description: "How to set up OpenAI's models: by a Codex app-server, an API key or a ChatGPT subscription"
            .to_owned(),
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
    Skill::new(spec, Setup { behind, set: set(config), problem })
}

/// The names of the settings that are set, or not left at their default.
fn set(config: &Config) -> Vec<&'static str> {
    let (codex, default) = (&config.codex, config::Codex::default());
    let (server, usual) = (&codex.app_server, &default.app_server);
    let known = [
        ("CODEX_APP_SERVER_URL", server.url.is_some()),
        ("CODEX_APP_SERVER_TOKEN", server.token.is_some()),
        ("CODEX_APP_SERVER_TIMEOUT_MS", server.timeout != usual.timeout),
        ("CODEX_BIN", server.bin.is_some()),
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
    behind: Option<Behind>,
    set: Vec<&'static str>,
    problem: Option<String>,
}

#[async_trait]
impl Handler for Setup {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let wanted = input.get("mode").and_then(Value::as_str);
        let guides = GUIDES.iter().filter(|guide| wanted.is_none_or(|mode| mode == guide.mode));
        let lack = self.behind.as_ref().and_then(Behind::lack);
        let used = self.behind.as_ref().filter(|_| lack.is_none());
        let guide_used = used.map(guide_of);
        let told = |guide: &Guide| (self.told(guide, guide_used), text(guide));
        let (modes, texts): (Vec<Value>, Vec<String>) = guides.map(told).unzip();
        let mode = used.map(Behind::mode);
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
fn guide_of(behind: &Behind) -> &'static str {
    if let Behind::Direct(codex) = behind
        && let Access::ChatGptTokens(by_tokens) = codex.access()
        && by_tokens.tokens().owner() == Owner::Daemon
    {
        return "oauth-device";
    }
    behind.mode()
}

fn text(guide: &Guide) -> String {
    let steps = (1..).zip(guide.steps).map(|(number, step)| format!("{number}. {step}"));
    let notes = guide.notes.iter().map(|note| format!("- {note}"));
    let lines = [format!("{}:", guide.title)].into_iter().chain(steps).chain(notes);
    lines.collect::<Vec<_>>().join("\n")
}
