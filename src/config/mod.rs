//! Flags over environment over file over defaults, made into one validated [`Config`].
//!
//! Nobody else reads the environment or the file. Secrets are [`Secret`]s from the moment they are read.

mod app_server;
mod environment;
mod error;
mod file;
mod listen;
mod load;
mod nearest;
mod origin;
mod price;
pub mod private_file;
mod secret;
mod secrets;
mod settings;
mod skill;
mod sources;
mod tables;
#[cfg(test)]
mod tests;

pub use app_server::{AppServer, AppServerUrl, Sandbox};
pub use environment::{
    Environment, HOME, Names, OF_A_SERVICE, PROXIES, client_environment, is_of_clients, names_secret,
};
pub use error::{ConfigError, ConfigErrorKind};
pub use listen::{Listen, TlsFiles};
pub use nearest::nearest;
pub use origin::{Changes, Origin};
pub use secret::Secret;
pub use secrets::{Claims, Keeper, Kept, Keyring, KeyringFault, Reference, SecretStore, StoreError, Unresolved};
pub use settings::{SETTINGS, Setting};
pub use skill::{MAX_TIMEOUT_MS as MAX_SKILL_TIMEOUT_MS, SKILL_ID, is_skill_id};
pub use sources::{DEFAULT, Overrides, Platform, Sources};

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use url::Url;

#[derive(Clone, Debug)]
pub struct Config {
    /// The file that was read, or would have been; empty where there is no home to look in.
    pub file: PathBuf,
    /// Where sessions and logs live.
    pub state_dir: PathBuf,
    /// `ENABLED_PLUGINS`; unset means every configured one.
    pub enabled_plugins: Option<Vec<String>>,
    /// `ALLOWED_HOSTS`; unset means what the enabled plugins need.
    pub allowed_hosts: Option<Vec<String>>,
    /// `MODEL_DEFAULT`.
    pub model_default: Option<String>,
    pub anthropic: Anthropic,
    pub openai_compatible: OpenAiCompatible,
    pub cloudflare: Cloudflare,
    pub ai_gateway: AiGateway,
    pub workers_ai: WorkersAi,
    pub codex: Codex,
    pub serving: Serving,
    pub spend: Spend,
    pub helm: Helm,
    pub http: Http,
    pub limits: Limits,
    pub log: Log,
    pub telemetry: Telemetry,
    /// What the programs of skills may see some of.
    pub environment: Environment,
    /// `[[skill]]` tables.
    pub skills: Vec<CommandSkill>,
    /// To read it again.
    pub origin: Origin,
    /// What the user should know although nothing failed.
    pub warnings: Vec<String>,
    /// The secrets that could not be had.
    pub unresolved: Vec<Unresolved>,
    /// What the layers say of the secrets, until they are had.
    pub claims: Claims,
}

#[derive(Clone, Debug)]
pub struct Anthropic {
    pub api_key: Option<Secret>,
    /// In place of the key.
    pub auth_token: Option<Secret>,
    /// With or without a trailing `/v1`.
    pub base_url: Url,
    pub default_model: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct OpenAiCompatible {
    /// Usually ends in `/v1`; unset means not configured.
    pub url: Option<Url>,
    pub key: Option<Secret>,
    pub default_model: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Cloudflare {
    pub api_token: Option<Secret>,
    pub account_id: Option<String>,
    /// Default `https://api.cloudflare.com/client/v4`.
    pub api_base_url: Url,
}

/// `cf-ai-gateway`; the account and the token of its run path are [`Cloudflare`]'s.
#[derive(Clone, Debug)]
pub struct AiGateway {
    /// The gateway's name.
    pub id: Option<String>,
    /// For gateways that ask who calls.
    pub auth_token: Option<Secret>,
    /// `vendor/model`.
    pub default_model: Option<String>,
    /// Default `https://gateway.ai.cloudflare.com`.
    pub base_url: Url,
    /// Whether Cloudflare may bill a call for which no key is stored.
    pub unified_billing: bool,
    /// How long the gateway may answer from its cache; none leaves it to the gateway's own settings, zero turns it off.
    pub cache_ttl: Option<Duration>,
    /// Whether the gateway logs calls; none leaves it to the gateway's own settings.
    pub collect_log: Option<bool>,
}

/// `workers-ai`; the account and the token are [`Cloudflare`]'s.
#[derive(Clone, Debug, Default)]
pub struct WorkersAi {
    pub default_model: Option<String>,
    /// Whether models may call tools, which not all of them do well.
    pub native_tools: bool,
}

#[derive(Clone, Debug)]
pub struct Codex {
    pub api_key: Option<Secret>,
    /// Of the API that the key is for. Default `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Which of the two APIs is spoken there.
    pub api: CodexApi,
    /// Of a ChatGPT subscription.
    pub access_token: Option<Secret>,
    pub id_token: Option<Secret>,
    /// Default `https://chatgpt.com/backend-api/codex`.
    pub backend_url: Url,
    /// The directory where the Codex CLI keeps `auth.json`; it is read and never written.
    pub home: Option<PathBuf>,
    pub default_model: Option<String>,
    pub app_server: AppServer,
    /// Of the daemon's own sign-in to ChatGPT.
    pub oauth_client_id: Option<String>,
    /// Default `https://auth.openai.com`.
    pub oauth_issuer: Url,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodexApi {
    /// Responses, and chat completions where an endpoint has only that.
    #[default]
    Auto,
    Responses,
    Chat,
}

/// `[daemon]`: of a daemon that several clients share.
#[derive(Clone, Debug)]
pub struct Serving {
    /// How long it may have no client and nothing to do before it ends; zero means for ever.
    pub idle_timeout: Duration,
    /// How long what runs may take to come to its end once it is asked to stop.
    pub drain_timeout: Duration,
    /// Where HTTP is listened for; nowhere unless it is said.
    pub listen: Option<Listen>,
    /// The web pages that may speak to it, as `https://example.com`.
    pub allowed_origins: Vec<String>,
    /// The names by which clients may call it, beside those of this machine.
    pub allowed_hosts: Vec<String>,
    pub tls: TlsFiles,
}

#[derive(Clone, Debug, Default)]
pub struct Spend {
    /// In billionths of a US dollar, for a day in UTC; none means no cap.
    pub daily_cap_nano_usd: Option<u64>,
    /// `[[price]]` tables; the first that matches holds.
    pub prices: Vec<Price>,
}

/// What a model costs, in billionths of a US dollar for a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// A plugin; none means any.
    pub provider: Option<String>,
    /// As it is asked for; a `*` stands for any characters.
    pub model: String,
    pub input: u64,
    pub output: u64,
    /// Input from a cache; as other input where it is not given.
    pub cached_input: Option<u64>,
    /// Input written to a cache; as other input where it is not given.
    pub cache_write: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Helm {
    /// Tokens of history sent with a call, estimated.
    pub history_tokens: u32,
    /// Bytes of a skill's result that the model reads.
    pub tool_result_bytes: usize,
    /// How long a client may take to answer an approval request.
    pub approval_timeout: Duration,
    /// Whether `skills.invoke` of a dangerous skill needs `confirm`.
    pub confirm_dangerous: bool,
    /// Turns of one session that may wait.
    pub queued_turns: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub connect_timeout: Duration,
    /// From the request sent to the first byte of the answer, which for an answer that is not streamed is its end.
    pub response_timeout: Duration,
    /// Between two chunks of a stream.
    pub idle_timeout: Duration,
    /// After the first attempt.
    pub max_retries: u32,
    /// Whether a daemon that serves keeps connections to its providers open.
    pub warm: bool,
    /// How long a connection may be without a request until it is looked after.
    pub warm_interval: Duration,
    /// Whether model servers on this machine are looked for when the providers are listed.
    pub discover: bool,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub frame_bytes: usize,
    pub header_bytes: usize,
    pub json_depth: usize,
    /// Requests of one connection at work at once.
    pub in_flight: usize,
    /// Frames that wait to be written to one connection.
    pub outbound_frames: usize,
    /// How long a connection may take no byte before it is cut off.
    pub write_timeout: Duration,
    /// Events kept of a session for those who come late.
    pub buffered_events: usize,
}

#[derive(Clone, Debug)]
pub struct Log {
    /// A `tracing` filter: `info`, `open_think=debug`.
    pub filter: String,
}

/// Spans of what is done, for an OpenTelemetry collector. Off without an endpoint.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pub endpoint: Option<Url>,
    /// `name=value` pairs.
    pub headers: Option<Secret>,
    pub service_name: String,
}

/// A skill made of a program: no shell, the input as JSON on its standard input.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSkill {
    pub id: String,
    pub description: String,
    pub input_schema: Value,
    pub dangerous: bool,
    /// Never empty.
    pub command: Vec<String>,
    pub timeout: Duration,
    /// Bytes of output; more is an error.
    pub output_limit: usize,
    /// Names of environment variables it may see beside the harmless ones.
    pub pass_env: Vec<String>,
    pub tags: Vec<String>,
}

impl Config {
    /// Every secret it holds, for those who must keep them out of what they pass on.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.named_secrets().into_iter().filter_map(|(_, secret)| secret)
    }

    /// By the keys of the file.
    fn named_secrets(&self) -> [(&'static str, Option<&Secret>); 10] {
        let Codex { api_key, access_token, id_token, app_server, .. } = &self.codex;
        [
            ("anthropic_api_key", self.anthropic.api_key.as_ref()),
            ("anthropic_auth_token", self.anthropic.auth_token.as_ref()),
            ("openai_compatible_key", self.openai_compatible.key.as_ref()),
            ("cloudflare_api_token", self.cloudflare.api_token.as_ref()),
            ("ai_gateway_auth_token", self.ai_gateway.auth_token.as_ref()),
            ("openai_api_key", api_key.as_ref()),
            ("codex_access_token", access_token.as_ref()),
            ("codex_id_token", id_token.as_ref()),
            ("codex_app_server_token", app_server.token.as_ref()),
            ("otel_exporter_otlp_headers", self.telemetry.headers.as_ref()),
        ]
    }
}

impl Spend {
    /// What its user may not expect.
    fn warning(&self) -> Option<&'static str> {
        let blind = self.daily_cap_nano_usd.is_some() && self.prices.is_empty();
        blind.then_some(
            "DAILY_SPEND_CAP_USD is set and there is no [[price]] table: only calls count whose provider says what they cost",
        )
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            state_dir: PathBuf::new(),
            enabled_plugins: None,
            allowed_hosts: None,
            model_default: None,
            anthropic: Anthropic::default(),
            openai_compatible: OpenAiCompatible::default(),
            cloudflare: Cloudflare::default(),
            ai_gateway: AiGateway::default(),
            workers_ai: WorkersAi::default(),
            codex: Codex::default(),
            serving: Serving::default(),
            spend: Spend::default(),
            helm: Helm::default(),
            http: Http::default(),
            limits: Limits::default(),
            telemetry: Telemetry::default(),
            log: Log { filter: "info".to_owned() },
            environment: Environment::default(),
            skills: Vec::new(),
            origin: Origin::default(),
            warnings: Vec::new(),
            unresolved: Vec::new(),
            claims: Claims::default(),
        }
    }
}

impl Default for Anthropic {
    fn default() -> Self {
        let base_url = constant("https://api.anthropic.com");
        Self { api_key: None, auth_token: None, base_url, default_model: None }
    }
}

impl Default for Cloudflare {
    fn default() -> Self {
        let api_base_url = constant("https://api.cloudflare.com/client/v4");
        Self { api_token: None, account_id: None, api_base_url }
    }
}

impl Default for AiGateway {
    fn default() -> Self {
        Self {
            id: None,
            auth_token: None,
            default_model: None,
            base_url: constant("https://gateway.ai.cloudflare.com"),
            unified_billing: false,
            cache_ttl: None,
            collect_log: None,
        }
    }
}

impl Default for Codex {
    fn default() -> Self {
        Self {
            api_key: None,
            base_url: constant("https://api.openai.com/v1"),
            api: CodexApi::Auto,
            access_token: None,
            id_token: None,
            backend_url: constant("https://chatgpt.com/backend-api/codex"),
            home: None,
            default_model: None,
            app_server: AppServer::default(),
            oauth_client_id: None,
            oauth_issuer: constant("https://auth.openai.com"),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { endpoint: None, headers: None, service_name: "open-think".to_owned() }
    }
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30 * 60),
            drain_timeout: Duration::from_secs(30),
            listen: None,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            tls: TlsFiles::default(),
        }
    }
}

impl Default for Helm {
    fn default() -> Self {
        Self {
            history_tokens: 100_000,
            tool_result_bytes: 64 * 1024,
            approval_timeout: Duration::from_secs(120),
            confirm_dangerous: true,
            queued_turns: 32,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(120),
            max_retries: 2,
            warm: true,
            warm_interval: Duration::from_secs(45),
            discover: true,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 16 * 1024 * 1024,
            header_bytes: 8 * 1024,
            json_depth: 128,
            in_flight: 1024,
            outbound_frames: 1024,
            write_timeout: Duration::from_secs(30),
            buffered_events: 2000,
        }
    }
}

fn constant(url: &str) -> Url {
    Url::parse(url).expect("a URL written in this file")
}
