//! The wire: parameters, results, events and error codes, and the schema made of them. Pure data, camelCase.
//!
//! A change here is a line in `CHANGELOG.md` under **Protocol**.

mod codex;
mod conductor;
mod daemon;
mod error;
mod event;
mod lifecycle;
mod method;
mod oauth;
mod openapi;
mod provider;
mod route;
mod schema;
mod session;
mod skill;
mod typescript;

pub use codex::{
    CodexLink, CodexLostParams, CodexNotificationParams, CodexProblem, CodexRateLimit, CodexRequestParams,
    CodexRequestResolvedParams, CodexResolution, CodexRespondParams, CodexRespondResult, CodexRpcError, CodexRpcParams,
    CodexRpcResult, CodexServer, CodexStatusParams, CodexStatusResult, CodexSubscribeParams, CodexSubscribeResult,
    CodexUnsubscribeParams,
};
pub use conductor::{
    ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, ApproveParams, Attempt, Content, ContentBlock,
    DEFAULT_SESSION, Decision, Halted, InterruptParams, InterruptResult, MAX_FALLBACKS, MessageParams, MessageResult,
    Mode, StopReason, SubscribeParams, SubscribeResult, SuggestedAction, TraceEntry, TurnError, TurnResult,
    UnsubscribeParams, Usage, Wait,
};
pub use daemon::{
    ChildRow, CodexState, ConnectionRow, Empty, HelloParams, HelloResult, LiveSession, ProviderWarmth, ReloadResult,
    ReloadedParams, RunningTurn, StatusParams, StatusResult, StopParams, StopResult, StopWhen, UsageToday,
};
pub use error::{Code, ErrorData};
pub use event::{Event, EventParams};
pub use lifecycle::{
    CancelParams, ClientCapabilities, ClientInfo, InitializeParams, InitializeResult, ProgressParams, ProgressValue,
    ServerCapabilities, ServerInfo, Token,
};
pub use method::{Method, Notification, Side, names};
pub use oauth::{
    CodexLogin, DeviceCancelResult, DevicePollParams, DevicePollResult, DeviceStartResult, DeviceStatus, LogoutResult,
};
pub use openapi::openapi;
pub use provider::{
    DiscoveredRow, ModelRow, ProviderRow, ProvidersListResult, ProvidersModelsParams, ProvidersModelsResult,
};
pub use route::{ROUTES, Route, Target, Verb};
pub use schema::{MethodSchema, json_schema, method_schema, openrpc, request_names};
pub use session::{
    SessionDeleteResult, SessionDetail, SessionMessage, SessionMessagesParams, SessionMessagesResult, SessionParams,
    SessionSummary, SessionsListResult,
};
pub use skill::{
    ClientSkill, SkillCallParams, SkillCallResult, SkillInvokeParams, SkillInvokeResult, SkillRow, SkillsListResult,
    SkillsRegisterParams, SkillsRegisteredResult, SkillsUnregisterParams,
};
pub use typescript::typescript;

/// The version of this protocol: `major.minor`, where a client and a daemon of one major understand each other.
pub const VERSION: &str = "1.0";
