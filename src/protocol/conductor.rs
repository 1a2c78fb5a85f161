//! Turns: what is said to Helm, what it answers, what it asks.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{ErrorData, SessionMessage, Token};

pub const DEFAULT_SESSION: &str = "conductor:default";

/// Each failed one is told to the client, and takes its time.
pub const MAX_FALLBACKS: usize = 16;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageParams {
    pub content: Content,
    /// Default `conductor:default`. Made when it is new.
    #[serde(default = "default_session")]
    pub session_name: String,
    /// Default `propose`.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Default: the first provider that is enabled and configured.
    #[serde(default)]
    pub provider: Option<String>,
    /// Default: the provider's own.
    #[serde(default)]
    pub model: Option<String>,
    /// Model calls that this turn may make, 1 to 12.
    #[serde(default = "default_iterations")]
    #[schemars(range(min = 1, max = 12))]
    pub max_iterations: u32,
    /// Tried in order when the first choice fails before anything of its answer was shown. Each is `provider/model`, or
    /// a provider alone. Where the text before the first `/` is no provider that is enabled and configured, the whole
    /// is a model's name: of this turn's own provider if that takes such names (the AI gateway knows vendors, an
    /// OpenAI-compatible server may have any), else of the first provider that knows the vendor. A name without `/`
    /// that is no provider is a model of the turn's own. In `selective` and `auto` a fallback that can only propose is
    /// passed over.
    #[serde(default, deserialize_with = "list")]
    #[schemars(length(max = MAX_FALLBACKS))]
    pub fallback_models: Vec<String>,
    /// Milliseconds after which a model whose answer is not complete counts as failed and is hung up on. Where an
    /// app-server runs the turn, milliseconds until the first sign of the model.
    #[serde(default)]
    pub per_model_timeout_ms: Option<u64>,
    /// The thread of the app-server that this session uses from now on, in turns that propose or in those that work, as
    /// this one does; only with a provider that is an app-server. Default: the session's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// Whether the content goes into the turn that runs in the session: that turn's result is then the answer, and the
    /// other parameters count for nothing but how it is told. Where none runs, or one that takes nothing more, or one of
    /// another `mode`, `provider` or `model` than is given here, it is a message like any other. Where it is lost
    /// whether the turn has taken it, that is the error, `E_PROVIDER_FAILED`, and nothing else is done with it.
    #[serde(default)]
    pub steer: bool,
    /// Whether this connection gets the turn's events. With `wait: "accepted"` it gets `error` and `loop-done` anyway.
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    pub wait: Wait,
    /// Whether the result has the provider's own last answer in `raw`.
    #[serde(default)]
    pub include_raw: bool,
    /// Whether the turn goes on when this client hangs up. A daemon that serves on standard input ends with its client.
    #[serde(default)]
    pub detach: bool,
    /// Whether to wait behind a running turn of the session; without it a busy session is an error.
    #[serde(default = "yes")]
    pub queue: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<Token>,
}

/// Plain text, or blocks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Content {
    #[schemars(title = "TextContent")]
    Text(String),
    #[schemars(title = "BlockContent")]
    Blocks(Vec<ContentBlock>),
}

/// By hand, so that a fault says which block is wrong.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBlocks;

        impl<'de> Visitor<'de> for TextOrBlocks {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of blocks")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, blocks: A) -> Result<Content, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(blocks)).map(Content::Blocks)
            }
        }
        deserializer.deserialize_any(TextOrBlocks)
    }
}

/// An array; an editor that has one word for nothing sends `{}` for an empty one.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of strings")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Vec<String>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(items))
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Vec<String>, A::Error> {
            match members.next_key::<String>()? {
                None => Ok(Vec::new()),
                Some(_) => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
            }
        }
    }
    deserializer.deserialize_any(List)
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ContentBlock {
    #[schemars(title = "TextBlock")]
    Text { text: String },
    /// Either `url`, or `mediaType` and `data` in base64.
    #[schemars(title = "ImageBlock")]
    Image {
        #[serde(default)]
        url: Option<String>,
        #[serde(default)]
        media_type: Option<String>,
        #[serde(default)]
        data: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan only.
    #[default]
    Propose,
    /// Run safe skills, hold dangerous ones for approval.
    Selective,
    /// Run all.
    Auto,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Answer at the end of the turn.
    #[default]
    End,
    /// Answer `{turnId}` at once; the end comes as the event `loop-done`.
    Accepted,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveParams {
    #[serde(default = "default_session")]
    pub session_name: String,
    #[serde(deserialize_with = "list")]
    pub action_ids: Vec<String>,
    pub decision: Decision,
    /// Replaces the input of the action; only with a single one. An empty one does not replace one that is not empty, and
    /// is refused: leave it out to run the action as it was shown.
    #[serde(default)]
    pub input: Option<Value>,
    /// Whether the model hears of it and the turn goes on.
    #[serde(default = "yes", rename = "continue")]
    pub resume: bool,
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    pub wait: Wait,
    #[serde(default)]
    pub include_raw: bool,
    #[serde(default)]
    pub detach: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Approve,
    Deny,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InterruptParams {
    pub session_name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InterruptResult {
    /// Whether there was a turn to stop.
    pub interrupted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscribeParams {
    pub session_name: String,
    /// Replay what came after this sequence number, as far as it is buffered. Default: live only.
    #[serde(default)]
    pub after_seq: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SubscribeResult {
    /// The sequence number of the session's last event so far; 0 if it has had none.
    pub seq: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnsubscribeParams {
    pub session_name: String,
}

/// `TurnResult` at the end of the turn, or only its id with `wait: "accepted"`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MessageResult {
    #[schemars(title = "TurnEnded")]
    Ended(Box<TurnResult>),
    #[schemars(title = "TurnAccepted")]
    #[serde(rename_all = "camelCase")]
    Accepted { turn_id: String },
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnResult {
    pub session_name: String,
    pub turn_id: String,
    /// The mode that was in force.
    pub mode: Mode,
    pub mode_requested: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downgrade_reason: Option<String>,
    /// What Helm said last; null if it said nothing.
    pub assistant_message: Option<SessionMessage>,
    /// Actions that wait for a decision, by `conductor.approve`.
    pub suggested_actions: Vec<SuggestedAction>,
    /// The skills that ran, or were refused, in order.
    pub trace: Vec<TraceEntry>,
    pub stop_reason: StopReason,
    /// Why the model declined, when `stopReason` is `refusal` and the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Model calls made.
    pub iterations_used: u32,
    pub provider_used: String,
    pub model_used: Option<String>,
    /// The sum over all model calls of this turn.
    pub usage: Usage,
    /// Every try of a model, the failed ones too.
    pub attempts: Vec<Attempt>,
    /// There only when the turn was cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<Halted>,
    /// What the provider said beside its last answer: `path` (the way that was taken), cache status, request ids, rate
    /// limits. Which names there are depends on the provider.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedAction {
    pub id: String,
    pub skill: String,
    /// The one that brings the skill, as `skills.list` has it: approved, the action runs only while it is the same. Left out
    /// where there is no such skill, and for what an app-server would do of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub dangerous: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    pub tool_use_id: String,
    pub skill: String,
    pub input: Value,
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    EndTurn,
    /// In events only: the model called skills, and the turn goes on.
    ToolUse,
    MaxTokens,
    StopSequence,
    Refusal,
    ContentFilter,
    ContextExceeded,
    /// The model wanted to go on, but `maxIterations` was reached.
    IterationCap,
    /// Dangerous skills wait for a decision.
    DangerousSkill,
    /// Interrupted.
    Cancelled,
    /// The turn failed.
    Error,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Halted {
    IterationCap,
    DangerousSkill,
}

/// Tokens; what a provider does not report is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// All of the input, cached or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// All of the output, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// US dollars, where the provider says what a call cost or a price is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub ok: bool,
    /// The HTTP status of a failed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalParams {
    pub approval_id: String,
    pub session_name: String,
    pub turn_id: String,
    pub actions: Vec<SuggestedAction>,
    /// Milliseconds from now; a later answer counts for nothing.
    pub deadline_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalAnswer {
    pub decision: Decision,
    /// Replaces the input of the action; only if it is a single one. With an empty one in place of one that is not empty
    /// nothing is decided.
    #[serde(default)]
    pub input: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalResolvedParams {
    pub approval_id: String,
    pub session_name: String,
    /// Null when nobody decided: the actions stay held.
    pub decision: Option<Decision>,
}

/// Why a turn failed, as the event `error` carries it: a number, a sentence, and what a refused request has in `data`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TurnError {
    pub code: i32,
    pub message: String,
    pub data: ErrorData,
}

fn default_session() -> String {
    DEFAULT_SESSION.to_owned()
}

fn default_iterations() -> u32 {
    6
}

fn yes() -> bool {
    true
}
