//! What the app-server says of a turn, as far as it is read: plain data, and nothing that is not needed.
//!
//! Kinds of notifications and items that are not known are passed over, and so are members.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// A notification about a thread, and the turn that it belongs to, if it names one.
#[derive(Debug)]
pub struct Notice {
    pub turn: Option<String>,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    TurnStarted,
    TurnEnded(Turn),
    ItemStarted(Item),
    ItemCompleted(Item),
    More {
        item: String,
        part: Part,
        text: String,
    },
    Tokens(TokenUsage),
    Failed {
        error: TurnError,
        will_retry: bool,
    },
    Rerouted {
        model: String,
    },
    /// A request of the server's is answered, or no longer wanted; the id is its JSON text.
    Resolved {
        request: String,
    },
    Warning(String),
}

/// Which text of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Text,
    Summary(usize),
    Thought(usize),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    pub id: String,
    pub status: TurnStatus,
    pub error: Option<TurnError>,
    /// None of one that ended with the process it ran in.
    pub completed_at: Option<i64>,
}

/// What `thread/start` and `thread/resume` give.
#[derive(Debug, Deserialize)]
pub struct Opened {
    pub thread: OpenedThread,
    #[serde(flatten)]
    pub settings: ThreadSettings,
}

/// What turns run with unless they say otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThreadSettings {
    pub approval_policy: Option<Value>,
    pub approvals_reviewer: Option<Value>,
    #[serde(alias = "sandbox")]
    pub sandbox_policy: Option<Value>,
    /// Beside which the sandbox does not say everything.
    pub active_permission_profile: Option<Value>,
    pub cwd: Option<Value>,
    pub model: Option<String>,
}

/// What `thread/settings/updated` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsUpdated {
    pub thread_settings: ThreadSettings,
}

#[derive(Debug, Deserialize)]
pub struct OpenedThread {
    pub id: String,
    #[serde(default)]
    pub status: Value,
}

/// What `turn/start` gives.
#[derive(Debug, Deserialize)]
pub struct Begun {
    pub turn: BegunTurn,
}

#[derive(Debug, Deserialize)]
pub struct BegunTurn {
    pub id: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub struct Page<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub next_cursor: Value,
}

#[derive(Debug, Deserialize)]
pub struct Entry {
    pub item: Item,
}

impl OpenedThread {
    /// Whether a turn runs in it.
    pub fn is_active(&self) -> bool {
        self.status.get("type").and_then(Value::as_str) == Some("active")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TurnStatus {
    InProgress,
    Completed,
    Interrupted,
    Failed,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnError {
    pub message: String,
    #[serde(default)]
    pub codex_error_info: Value,
    #[serde(default)]
    pub additional_details: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Item {
    UserMessage {
        client_id: Option<String>,
    },
    AgentMessage {
        id: String,
        text: String,
    },
    Plan {
        id: String,
        text: String,
    },
    Reasoning {
        id: String,
        #[serde(default)]
        summary: Vec<String>,
        #[serde(default)]
        content: Vec<String>,
    },
    CommandExecution {
        id: String,
        command: String,
        cwd: Option<String>,
        status: ItemStatus,
        aggregated_output: Option<String>,
        exit_code: Option<i64>,
        #[serde(flatten)]
        time: Time,
    },
    FileChange {
        id: String,
        changes: Value,
        status: ItemStatus,
        #[serde(flatten)]
        time: Time,
    },
    McpToolCall {
        id: String,
        server: String,
        tool: String,
        #[serde(default)]
        arguments: Value,
        status: ItemStatus,
        #[serde(default)]
        result: Value,
        error: Option<McpError>,
        #[serde(flatten)]
        time: Time,
    },
    /// A skill of ours.
    DynamicToolCall {
        id: String,
    },
    WebSearch {
        id: String,
        query: String,
        #[serde(default)]
        action: Value,
        #[serde(flatten)]
        time: Time,
    },
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ItemStatus {
    InProgress,
    Completed,
    Failed,
    Declined,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
pub struct McpError {
    pub message: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    duration_ms: Option<i64>,
    started_at_ms: Option<i64>,
    completed_at_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TokenUsage {
    /// Of the thread since it began.
    pub total: Tokens,
    /// Of the last call of the model.
    pub last: Tokens,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    pub input_tokens: u64,
    #[serde(default)]
    pub cached_input_tokens: u64,
    #[serde(default)]
    pub cache_write_input_tokens: u64,
    pub output_tokens: u64,
    #[serde(default)]
    pub reasoning_output_tokens: u64,
}

impl Time {
    pub fn duration_ms(&self) -> u64 {
        let between = self.completed_at_ms.zip(self.started_at_ms).map(|(end, start)| end.saturating_sub(start));
        self.duration_ms.or(between).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
    }
}

impl Item {
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::AgentMessage { id, .. }
            | Self::Plan { id, .. }
            | Self::Reasoning { id, .. }
            | Self::CommandExecution { id, .. }
            | Self::FileChange { id, .. }
            | Self::McpToolCall { id, .. }
            | Self::DynamicToolCall { id }
            | Self::WebSearch { id, .. } => Some(id),
            Self::UserMessage { .. } | Self::Other => None,
        }
    }

    /// The texts of one that says something, in order.
    pub fn texts(&self) -> Vec<(Part, &str)> {
        match self {
            Self::AgentMessage { text, .. } | Self::Plan { text, .. } => vec![(Part::Text, text)],
            Self::Reasoning { summary, content, .. } => {
                let summary = summary.iter().enumerate().map(|(at, text)| (Part::Summary(at), text.as_str()));
                let content = content.iter().enumerate().map(|(at, text)| (Part::Thought(at), text.as_str()));
                summary.chain(content).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MoreText {
    turn_id: Option<String>,
    item_id: String,
    delta: String,
    #[serde(default)]
    summary_index: usize,
    #[serde(default)]
    content_index: usize,
}

#[derive(Deserialize)]
struct WithTurn {
    turn: Turn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithItem {
    turn_id: Option<String>,
    item: Item,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithTokens {
    token_usage: TokenUsage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithError {
    error: TurnError,
    will_retry: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithModel {
    to_model: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithRequest {
    request_id: Box<RawValue>,
}

#[derive(Deserialize)]
struct WithMessage {
    message: String,
}

/// None of what is of no interest here, or cannot be read.
pub fn notice(method: &str, params: &RawValue) -> Option<Notice> {
    let more = |part: fn(&MoreText) -> Part| {
        let more: MoreText = parse(method, params)?;
        let part = part(&more);
        Some(Notice { turn: more.turn_id, what: What::More { item: more.item_id, part, text: more.delta } })
    };
    match method {
        "item/agentMessage/delta" | "item/plan/delta" => more(|_| Part::Text),
        "item/reasoning/summaryTextDelta" => more(|more| Part::Summary(more.summary_index)),
        "item/reasoning/textDelta" => more(|more| Part::Thought(more.content_index)),
        "turn/started" => {
            let WithTurn { turn } = parse(method, params)?;
            Some(Notice { turn: Some(turn.id), what: What::TurnStarted })
        }
        "turn/completed" => {
            let WithTurn { turn } = parse(method, params)?;
            Some(Notice { turn: Some(turn.id.clone()), what: What::TurnEnded(turn) })
        }
        "item/started" | "item/completed" => {
            let WithItem { turn_id: turn, item } = parse(method, params)?;
            let what = if method == "item/started" { What::ItemStarted(item) } else { What::ItemCompleted(item) };
            Some(Notice { turn, what })
        }
        "thread/tokenUsage/updated" => of_turn(method, params, |WithTokens { token_usage }| What::Tokens(token_usage)),
        "error" => of_turn(method, params, |WithError { error, will_retry }| What::Failed { error, will_retry }),
        "model/rerouted" => of_turn(method, params, |WithModel { to_model: model }| What::Rerouted { model }),
        "serverRequest/resolved" => of_turn(method, params, |WithRequest { request_id }| What::Resolved {
            request: request_id.get().to_owned(),
        }),
        "warning" | "guardianWarning" => of_turn(method, params, |WithMessage { message }| What::Warning(message)),
        _ => None,
    }
}

fn of_turn<T: DeserializeOwned>(method: &str, params: &RawValue, what: fn(T) -> What) -> Option<Notice> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Place {
        turn_id: Option<String>,
    }
    let place: Place = parse(method, params)?;
    Some(Notice { turn: place.turn_id, what: what(parse(method, params)?) })
}

fn parse<T: DeserializeOwned>(method: &str, params: &RawValue) -> Option<T> {
    let parsed = serde_json::from_str(params.get());
    parsed.inspect_err(|error| tracing::warn!(method, %error, "the app-server says something that cannot be read")).ok()
}
