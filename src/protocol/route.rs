//! What is served over HTTP: one row a route.

/// One way in.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub verb: Verb,
    /// What stands in braces is a parameter of the method.
    pub path: &'static str,
    pub summary: &'static str,
    pub target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
}

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A method of the wire: the body, or the query, holds its parameters, and its result is the `data`.
    Method(&'static str),
    /// `conductor.message`, with its events as they come.
    Stream,
    /// The events of a turn that is under way.
    Rejoin,
    /// One request of JSON-RPC.
    Rpc,
    /// JSON-RPC over a WebSocket.
    Socket,
    Health,
    Plugins,
    OpenApi,
    Metrics,
}

pub const ROUTES: &[Route] = &[
    post("/rpc", "One JSON-RPC request, or one notification, as its body.", Target::Rpc),
    get(
        "/rpc",
        "JSON-RPC over a WebSocket: one message a text frame, in both directions. A listed web page, which cannot send the \
         header, asks for the subprotocols `open-think` and `bearer.TOKEN`.",
        Target::Socket,
    ),
    post("/conductor/message", "Says something to Helm.", Target::Method("conductor.message")),
    post(
        "/conductor/stream",
        "Says something to Helm, and tells what happens as server-sent events. Without `detach: false` the turn goes on when \
         the line is lost: it can be joined again, and interrupted.",
        Target::Stream,
    ),
    get("/conductor/stream/{turnId}", "Joins the events of a turn again, after `Last-Event-ID`.", Target::Rejoin),
    post("/conductor/approve", "Decides held or suggested actions.", Target::Method("conductor.approve")),
    post("/conductor/interrupt", "Stops the turn of a session.", Target::Method("conductor.interrupt")),
    get("/skills", "Lists the skills on offer.", Target::Method("skills.list")),
    post("/skills/invoke/{skill}", "Runs one skill, without a model.", Target::Method("skills.invoke")),
    get("/plugins", "Lists the plugins that are enabled.", Target::Plugins),
    get("/sessions", "Lists the sessions, the one used last first.", Target::Method("sessions.list")),
    get("/sessions/{sessionName}", "Tells of one session.", Target::Method("sessions.get")),
    get("/sessions/{sessionName}/messages", "Gives the messages of a session.", Target::Method("sessions.messages")),
    post("/oauth/codex/device/start", "Begins a sign-in to ChatGPT.", Target::Method("oauth.codex.deviceStart")),
    post("/oauth/codex/device/poll", "Tells how far a sign-in is.", Target::Method("oauth.codex.devicePoll")),
    get("/health", "Tells that the daemon answers, and what it has.", Target::Health),
    get("/openapi.json", "This document.", Target::OpenApi),
    get("/metrics", "Figures in the text form of Prometheus.", Target::Metrics),
];

const fn get(path: &'static str, summary: &'static str, target: Target) -> Route {
    Route { verb: Verb::Get, path, summary, target }
}

const fn post(path: &'static str, summary: &'static str, target: Target) -> Route {
    Route { verb: Verb::Post, path, summary, target }
}
