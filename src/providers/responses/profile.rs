//! Where the endpoints that speak the dialect differ. A new one is a row.

/// How one kind of endpoint wants to be spoken to.
#[derive(Debug)]
pub struct Profile {
    /// Opaque values carry it: what one kind of endpoint has encrypted, another cannot read.
    pub(super) dialect: &'static str,
    pub(super) system: System,
    /// It refuses to answer in one piece; a request for that is streamed, and the caller does not notice.
    pub(super) only_streams: bool,
    /// Whether `max_output_tokens` and `temperature` may be set.
    pub(super) takes_limits: bool,
    /// The kind of summary of thoughts that is asked for when nobody says.
    pub(super) summary: Option<&'static str>,
    /// Whether to say which conversation a call is of, so that its beginning is found in a cache.
    pub(super) names_thread: bool,
    /// Headers that carry the conversation's name.
    pub(super) thread_headers: &'static [&'static str],
    /// What the list of models has to be asked with.
    pub(super) models_query: &'static [(&'static str, &'static str)],
}

/// Where the system prompt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// In a field of its own.
    Instructions,
    /// In the first message.
    Developer,
}

/// The version of the Codex CLI whose manners are imitated.
pub const CLIENT_VERSION: &str = "0.169.0";

/// OpenAI's API, and everybody's who offers the same.
pub static PUBLIC: Profile = Profile {
    dialect: "responses",
    system: System::Instructions,
    only_streams: false,
    takes_limits: true,
    summary: None,
    names_thread: false,
    thread_headers: &[],
    models_query: &[],
};

/// The backend behind ChatGPT subscriptions.
pub static CHATGPT: Profile = Profile {
    dialect: "responses-chatgpt",
    system: System::Developer,
    only_streams: true,
    takes_limits: false,
    summary: Some("auto"),
    names_thread: true,
    thread_headers: &["session-id", "thread-id", "x-client-request-id"],
    models_query: &[("client_version", CLIENT_VERSION)],
};

/// Models that do not think before they answer refuse to be asked for their thoughts.
const THOUGHTLESS: [&str; 4] = ["gpt-4", "gpt-3.5", "chatgpt-4o", "ft:gpt-"];

pub(super) fn thinks(model: &str) -> bool {
    !THOUGHTLESS.iter().any(|prefix| model.starts_with(prefix))
}
