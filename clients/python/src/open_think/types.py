"""What goes over the wire, as plain dictionaries. Made by generate_types.py from the schema: do not edit.

Names of enumerations are open: a daemon newer than this file may send others, and they reach you as they are. The
same goes for the kinds of events.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import NotRequired
elif TYPE_CHECKING:
    from typing_extensions import NotRequired

PROTOCOL_VERSION = "1.0"


class InitializeParams(TypedDict):
    processId: NotRequired[Union[int, None]]
    """The process that started us; over stdio we end with it."""
    clientInfo: NotRequired[Union[ClientInfo, None]]
    protocolVersion: NotRequired[Any]
    """The protocol version that the client was written for, `major.minor`."""
    capabilities: NotRequired[ClientCapabilities]
    initializationOptions: NotRequired[Any]
    """`cwd` and `env`, where they are there, say where the programs work that are started for the client, and
    which part of its environment they see: what a program needs to find its way, and never keys.
    """


class ClientInfo(TypedDict):
    name: str
    version: NotRequired[Union[str, None]]


class ClientCapabilities(TypedDict):
    """Capabilities of other protocols may stand beside ours; they are ignored."""

    approvals: NotRequired[bool]
    """Whether the client answers `conductor.approval`."""
    skills: NotRequired[bool]
    """Whether the client answers `skills.call`, and so may register skills."""


class InitializeResult(TypedDict):
    capabilities: ServerCapabilities
    serverInfo: ServerInfo


class ServerCapabilities(TypedDict):
    protocolVersion: str
    methods: list[str]
    """The methods that this daemon answers."""
    modes: list[str]
    """The modes of `conductor.message`."""


class ServerInfo(TypedDict):
    name: str
    version: str


class Empty(TypedDict):
    """No members."""


class MessageParams(TypedDict):
    content: Content
    sessionName: NotRequired[str]
    """Default `conductor:default`. Made when it is new."""
    mode: NotRequired[Union[Mode, None]]
    """Default `propose`."""
    provider: NotRequired[Union[str, None]]
    """Default: the first provider that is enabled and configured."""
    model: NotRequired[Union[str, None]]
    """Default: the provider's own."""
    maxIterations: NotRequired[int]
    """Model calls that this turn may make, 1 to 12."""
    fallbackModels: NotRequired[list[str]]
    """Tried in order when the first choice fails before anything of its answer was shown. Each is
    `provider/model`, or a provider alone. Where the text before the first `/` is no provider that is
    enabled and configured, the whole is a model's name: of this turn's own provider if that takes such
    names (the AI gateway knows vendors, an OpenAI-compatible server may have any), else of the first
    provider that knows the vendor. A name without `/` that is no provider is a model of the turn's own. In
    `selective` and `auto` a fallback that can only propose is passed over.
    """
    perModelTimeoutMs: NotRequired[Union[int, None]]
    """Milliseconds after which a model whose answer is not complete counts as failed and is hung up on. Where
    an app-server runs the turn, milliseconds until the first sign of the model.
    """
    threadId: NotRequired[Union[str, None]]
    """The thread of the app-server that this session uses from now on, in turns that propose or in those that
    work, as this one does; only with a provider that is an app-server. Default: the session's own.
    """
    steer: NotRequired[bool]
    """Whether the content goes into the turn that runs in the session: that turn's result is then the answer,
    and the other parameters count for nothing but how it is told. Where none runs, or one that takes
    nothing more, or one of another `mode`, `provider` or `model` than is given here, it is a message like
    any other. Where it is lost whether the turn has taken it, that is the error, `E_PROVIDER_FAILED`, and
    nothing else is done with it.
    """
    stream: NotRequired[bool]
    """Whether this connection gets the turn's events. With `wait: "accepted"` it gets `error` and `loop-done`
    anyway.
    """
    wait: NotRequired[Wait]
    includeRaw: NotRequired[bool]
    """Whether the result has the provider's own last answer in `raw`."""
    detach: NotRequired[bool]
    """Whether the turn goes on when this client hangs up. A daemon that serves on standard input ends with
    its client.
    """
    queue: NotRequired[bool]
    """Whether to wait behind a running turn of the session; without it a busy session is an error."""
    workDoneToken: NotRequired[Union[Token, None]]


class TextBlock(TypedDict):
    type: Literal["text"]
    text: str


class ImageBlock(TypedDict):
    """Either `url`, or `mediaType` and `data` in base64."""

    type: Literal["image"]
    url: NotRequired[Union[str, None]]
    mediaType: NotRequired[Union[str, None]]
    data: NotRequired[Union[str, None]]


class TurnAccepted(TypedDict):
    turnId: str


class TurnResult(TypedDict):
    sessionName: str
    turnId: str
    mode: Mode
    """The mode that was in force."""
    modeRequested: Mode
    downgradeReason: NotRequired[Union[str, None]]
    assistantMessage: Union[SessionMessage, None]
    """What Helm said last; null if it said nothing."""
    suggestedActions: list[SuggestedAction]
    """Actions that wait for a decision, by `conductor.approve`."""
    trace: list[TraceEntry]
    """The skills that ran, or were refused, in order."""
    stopReason: StopReason
    refusal: NotRequired[Union[str, None]]
    """Why the model declined, when `stopReason` is `refusal` and the provider says so."""
    iterationsUsed: int
    """Model calls made."""
    providerUsed: str
    modelUsed: NotRequired[Union[str, None]]
    usage: Usage
    """The sum over all model calls of this turn."""
    attempts: list[Attempt]
    """Every try of a model, the failed ones too."""
    halted: NotRequired[Union[Halted, None]]
    """There only when the turn was cut short."""
    metadata: NotRequired[dict[str, Any]]
    """What the provider said beside its last answer: `path` (the way that was taken), cache status, request
    ids, rate limits. Which names there are depends on the provider.
    """
    raw: NotRequired[Any]


class SessionMessage(TypedDict):
    id: str
    turnId: str
    role: str
    """`user`, `assistant`, `system` or `tool`."""
    content: str
    """The visible text."""
    blocks: NotRequired[list[Any]]
    """The skill calls of an assistant message, the results in a tool message, images."""
    provider: NotRequired[Union[str, None]]
    """The provider of an assistant message."""
    createdAt: int


class SuggestedAction(TypedDict):
    id: str
    skill: str
    plugin: NotRequired[Union[str, None]]
    """The one that brings the skill, as `skills.list` has it: approved, the action runs only while it is the
    same. Left out where there is no such skill, and for what an app-server would do of its own.
    """
    input: NotRequired[Any]
    toolUseId: NotRequired[Union[str, None]]
    reason: NotRequired[Union[str, None]]
    dangerous: bool


class TraceEntry(TypedDict):
    toolUseId: str
    skill: str
    input: Any
    ok: bool
    result: NotRequired[Any]
    error: NotRequired[Union[str, None]]
    durationMs: int


class Usage(TypedDict):
    """Tokens; what a provider does not report is left out."""

    inputTokens: NotRequired[Union[int, None]]
    """All of the input, cached or not."""
    outputTokens: NotRequired[Union[int, None]]
    """All of the output, reasoning included."""
    cachedTokens: NotRequired[Union[int, None]]
    cacheWriteTokens: NotRequired[Union[int, None]]
    reasoningTokens: NotRequired[Union[int, None]]
    costUsd: NotRequired[Union[float, None]]
    """US dollars, where the provider says what a call cost or a price is configured."""


class Attempt(TypedDict):
    provider: str
    model: NotRequired[Union[str, None]]
    ok: bool
    status: NotRequired[Union[int, None]]
    """The HTTP status of a failed one."""
    error: NotRequired[Union[str, None]]
    durationMs: int


ApproveParams = TypedDict(
    "ApproveParams",
    {
        "sessionName": "NotRequired[str]",
        "actionIds": "list[str]",
        "decision": "Decision",
        "input": "NotRequired[Any]",
        "continue": "NotRequired[bool]",
        "stream": "NotRequired[bool]",
        "wait": "NotRequired[Wait]",
        "includeRaw": "NotRequired[bool]",
        "detach": "NotRequired[bool]",
        "workDoneToken": "NotRequired[Union[Token, None]]",
    },
)


class InterruptParams(TypedDict):
    sessionName: str


class InterruptResult(TypedDict):
    interrupted: bool
    """Whether there was a turn to stop."""


class SubscribeParams(TypedDict):
    sessionName: str
    afterSeq: NotRequired[Union[int, None]]
    """Replay what came after this sequence number, as far as it is buffered. Default: live only."""


class SubscribeResult(TypedDict):
    seq: int
    """The sequence number of the session's last event so far; 0 if it has had none."""


class UnsubscribeParams(TypedDict):
    sessionName: str


class SessionsListResult(TypedDict):
    sessions: list[SessionSummary]


class SessionSummary(TypedDict):
    sessionName: str
    createdAt: int
    updatedAt: int
    messageCount: int
    heldCount: int
    """Actions that wait for a decision."""
    running: bool
    threadId: NotRequired[Union[str, None]]
    """The conversation as the provider's own engine keeps it, where one runs the turns of this session: of
    those that work, or else of those that propose.
    """


class SessionParams(TypedDict):
    sessionName: str


class SessionDetail(TypedDict):
    sessionName: str
    createdAt: int
    updatedAt: int
    messageCount: int
    heldCount: int
    """Actions that wait for a decision."""
    running: bool
    threadId: NotRequired[Union[str, None]]
    """The conversation as the provider's own engine keeps it, where one runs the turns of this session: of
    those that work, or else of those that propose.
    """
    seq: int
    """The sequence number of the session's last event; 0 if it has had none."""
    heldActions: list[SuggestedAction]


class SessionMessagesParams(TypedDict):
    sessionName: str
    limit: NotRequired[Union[int, None]]
    """At most this many, 1 to 1000; default 100."""
    before: NotRequired[Union[str, None]]
    """Only messages before the one with this id."""


class SessionMessagesResult(TypedDict):
    messages: list[SessionMessage]


class SessionDeleteResult(TypedDict):
    deleted: bool
    """Whether there was one."""


class SkillsListResult(TypedDict):
    skills: list[SkillRow]


class SkillRow(TypedDict):
    id: str
    description: str
    plugin: str
    tags: list[str]
    inputSchema: Any
    """A JSON Schema."""
    dangerous: bool


class SkillInvokeParams(TypedDict):
    skill: str
    input: NotRequired[Any]
    confirm: NotRequired[bool]
    """A dangerous skill runs only with it."""


class SkillInvokeResult(TypedDict):
    ok: bool
    """Always true: a failure is an error."""
    data: Any


class SkillsRegisterParams(TypedDict):
    """What the client can do is offered as skills: to Helm in each turn that begins from then on, and to
    every client.
    """

    skills: list[ClientSkill]
    """Taken whole or not at all. One whose id this client has registered before takes the place of that one."""


class ClientSkill(TypedDict):
    id: str
    """Kebab-case, at most 64 letters long, and none of the daemon's own. Where several clients have the same,
    a client's own turns and calls get its own skill, and all others that of who came first.
    """
    description: str
    """What it does and when to use it, for people and models; at most 1,000 letters, in one line."""
    inputSchema: NotRequired[Any]
    """A JSON Schema of type `object`; any object where it is left out."""
    dangerous: NotRequired[Union[bool, None]]
    """Whether it waits for the user's leave: so, unless it is said otherwise."""
    timeoutMs: NotRequired[Union[int, None]]
    """How long the client may take to answer: a minute where it is left out, an hour at most."""


class SkillsRegisteredResult(TypedDict):
    registered: list[str]
    """All that this client offers now, in the order in which it registered them first."""


class SkillsUnregisterParams(TypedDict):
    skills: list[str]
    """Ids; those that this client does not offer are passed over."""


class ProvidersListResult(TypedDict):
    providers: list[ProviderRow]
    """In the order in which Helm prefers them."""
    discovered: NotRequired[list[DiscoveredRow]]
    """Model servers on this machine that could be used and are not."""


class ProviderRow(TypedDict):
    id: str
    description: str
    enabled: bool
    configured: bool
    state: str
    """How the connection to it stands: `unknown`, `connecting`, `warm` or `failed`; more may come. It is told
    for people, and keeps no request from going there.
    """
    healthy: NotRequired[Union[bool, None]]
    """Whether the last call went well; left out while there has been none."""
    lastError: NotRequired[Union[str, None]]
    """Of the last call, or of the connection."""
    latencyMs: NotRequired[Union[int, None]]
    """Milliseconds to the first byte of the answer to the last call or probe."""
    checkedAt: NotRequired[Union[int, None]]
    """When it was last called or probed; Unix milliseconds."""
    default: bool
    """Whether a request that names no provider would go here."""
    defaultModel: NotRequired[Union[str, None]]
    missing: list[str]
    """Settings that are missing."""
    hint: NotRequired[Union[str, None]]


class DiscoveredRow(TypedDict):
    name: str
    """Of the program."""
    url: str
    models: list[str]
    """The first fifty."""
    hint: str
    """How to use it."""


class ProvidersModelsParams(TypedDict):
    provider: str


class ProvidersModelsResult(TypedDict):
    models: list[ModelRow]


class ModelRow(TypedDict):
    id: str
    name: NotRequired[Union[str, None]]
    contextWindow: NotRequired[Union[int, None]]
    """Tokens."""


class CodexRpcParams(TypedDict):
    method: str
    """Of the app-server, as in `thread/list`."""
    params: NotRequired[Any]
    """Go to the app-server as they are; an empty object if left out."""
    timeoutMs: NotRequired[Union[int, None]]
    """How long the answer may take; the configuration's own limit if left out."""
    confirm: NotRequired[bool]
    """The call runs only with it, unless the configuration says otherwise."""


class CodexStatusParams(TypedDict):
    probe: NotRequired[bool]
    """Whether to ask the app-server who is signed in and what is left of the limits."""


class CodexStatusResult(TypedDict):
    configured: bool
    """Whether there is an app-server to speak to."""
    mode: NotRequired[Union[str, None]]
    """The way in that the plugin takes: `app-server`, `app-server-spawn`, `api-key`, `chatgpt-tokens`; none
    if there is none.
    """
    link: NotRequired[Union[CodexLink, None]]
    account: NotRequired[Any]
    """Who is signed in, as `account/read` says; with `probe`."""
    rateLimits: NotRequired[list[CodexRateLimit]]
    """The windows of the subscription's limits, as last heard of."""
    problem: NotRequired[Union[CodexProblem, None]]
    """What stands in the way, and what to do about it."""
    pendingRequests: int
    """Questions of the app-server's that wait for an answer of a client."""
    threads: int
    """Threads whose events somebody here gets."""


class CodexLink(TypedDict):
    state: str
    """`cold`, `connecting`, `handshaking`, `ready`, `draining`, `backoff` or `refused`."""
    since: int
    """Since when; Unix milliseconds."""
    fault: NotRequired[Union[CodexProblem, None]]
    """Why it is not up."""
    retryAt: NotRequired[Union[int, None]]
    """When the next attempt is due; Unix milliseconds."""
    server: NotRequired[Union[CodexServer, None]]
    transport: str
    """`websocket`, `unix`, `http` or `spawn`."""
    endpoint: str
    """The address, or the program that is started."""
    pid: NotRequired[Union[int, None]]
    """Of the process, where the daemon started it."""
    connects: int
    """How often it has become ready."""
    inFlight: int
    """Requests that wait for an answer."""
    waiting: int
    """Requests that wait for a place among those."""


class CodexProblem(TypedDict):
    kind: str
    """As in `not-installed`, `not-signed-in`, `wrong-token`, `host-not-allowed`, `nothing-listening`, `wrong-
    version`, `usage-limit-reached`; more may come.
    """
    message: str
    hint: NotRequired[Union[str, None]]


class CodexServer(TypedDict):
    userAgent: str
    version: NotRequired[Union[str, None]]
    codexHome: NotRequired[Union[str, None]]
    platform: NotRequired[Union[str, None]]


class CodexRateLimit(TypedDict):
    limitId: NotRequired[Union[str, None]]
    """Which limit, as in `codex`."""
    window: str
    """`primary` or `secondary`."""
    usedPercent: float
    windowMinutes: NotRequired[Union[int, None]]
    resetsAt: NotRequired[Union[int, None]]
    """Unix seconds."""
    resetsAtIso: NotRequired[Union[str, None]]
    """The same in ISO 8601, in UTC."""
    resetsInSeconds: NotRequired[Union[int, None]]


class CodexSubscribeParams(TypedDict):
    threadId: NotRequired[Union[str, None]]
    """All threads, and what belongs to none, if left out."""


class CodexSubscribeResult(TypedDict):
    pending: list[CodexRequestParams]
    """What the app-server asks and nobody has answered yet."""


class CodexRequestParams(TypedDict):
    requestId: str
    """What `codex.respond` answers."""
    method: str
    """Of the app-server, as in `item/commandExecution/requestApproval`."""
    params: Any
    threadId: NotRequired[Union[str, None]]
    deadlineMs: int
    """How long an answer is waited for, from now on; then the daemon declines."""


class CodexRespondParams(TypedDict):
    """One of `result` and `error`."""

    requestId: str
    result: NotRequired[Any]
    """Goes to the app-server as it is."""
    error: NotRequired[Union[CodexRpcError, None]]


class CodexRpcError(TypedDict):
    """An error of the app-server, as it came."""

    code: int
    message: str
    data: NotRequired[Any]


class CodexRespondResult(TypedDict):
    accepted: bool
    """False if the request is settled already; the first answer counts."""


class DeviceStartResult(TypedDict):
    status: DeviceStatus
    deviceCode: NotRequired[Union[str, None]]
    """For `oauth.codex.devicePoll`. This and the next four are there while the status is `pending`."""
    userCode: NotRequired[Union[str, None]]
    """What the user types in."""
    verificationUri: NotRequired[Union[str, None]]
    """Where."""
    verificationUriComplete: NotRequired[Union[str, None]]
    """Where nothing has to be typed in, if there is such a place."""
    expiresIn: NotRequired[Union[int, None]]
    """Seconds."""
    interval: NotRequired[Union[int, None]]
    """Seconds to wait before asking, and between two questions."""
    missing: NotRequired[list[str]]
    """With `pending_configuration`: the settings of which one is to be set."""
    message: NotRequired[Union[str, None]]
    hint: NotRequired[Union[str, None]]


class DevicePollParams(TypedDict):
    deviceCode: str


class DevicePollResult(TypedDict):
    status: DeviceStatus
    interval: NotRequired[Union[int, None]]
    """Seconds to wait before asking again, while it goes on."""
    expiresIn: NotRequired[Union[int, None]]
    """Seconds, while it goes on."""
    login: NotRequired[Union[CodexLogin, None]]
    """With `complete`."""
    missing: NotRequired[list[str]]
    """With `pending_configuration`: the settings of which one is to be set."""
    message: NotRequired[Union[str, None]]
    hint: NotRequired[Union[str, None]]


class CodexLogin(TypedDict):
    """A sign-in that holds."""

    owner: str
    """Who keeps the tokens and refreshes them: `daemon` or `app-server`."""
    account: NotRequired[Union[str, None]]
    email: NotRequired[Union[str, None]]
    plan: NotRequired[Union[str, None]]
    expiresAt: NotRequired[Union[int, None]]
    """When the access token expires, which is refreshed before; seconds since 1970."""
    keptIn: NotRequired[Union[str, None]]
    """The file where the tokens are."""


class DeviceCancelResult(TypedDict):
    cancelled: bool
    """False if there was none that went on."""


class LogoutResult(TypedDict):
    signedOut: bool
    """Whether there was a sign-in of the daemon's own, which is now deleted."""
    account: NotRequired[Union[str, None]]
    """Whose it was, if that is known."""
    email: NotRequired[Union[str, None]]
    notRevoked: NotRequired[Union[str, None]]
    """Why the issuer may still take the refresh token, if so."""


class StatusResult(TypedDict):
    version: str
    build: str
    """When the program's file was written, in Unix seconds, and its length."""
    protocolVersion: str
    pid: int
    startedAt: int
    """Unix milliseconds."""
    uptimeMs: int
    memoryBytes: NotRequired[Union[int, None]]
    """Resident memory in bytes, where the system tells."""
    socket: NotRequired[Union[str, None]]
    """Where it listens, if it is shared."""
    http: NotRequired[Union[str, None]]
    httpFault: NotRequired[Union[str, None]]
    """Why nobody listens for HTTP although it was to be, with the way out."""
    httpTokenFile: NotRequired[Union[str, None]]
    """Where the token stands that HTTP asks for."""
    clients: int
    """Connections open now, this one included."""
    connections: list[ConnectionRow]
    runningTurns: list[RunningTurn]
    sessions: list[LiveSession]
    """Those in which something runs, waits, is held or is watched."""
    defaultProvider: NotRequired[Union[str, None]]
    enabledPlugins: list[str]
    providers: list[ProviderWarmth]
    """Those that can be asked."""
    codex: NotRequired[Union[CodexState, None]]
    """The connection to the Codex app-server, if there is to be one."""
    children: list[ChildRow]
    """Programs that it has started."""
    skills: int
    allowedHosts: list[str]
    configFile: str
    stateDir: str
    logFile: str
    idleTimeoutMs: int
    """How long it may have no client and nothing to do before it ends, if it is shared; zero means for ever."""
    usage: NotRequired[Union[UsageToday, None]]
    """What all calls of models of today came to; left out if it cannot be read."""


class ConnectionRow(TypedDict):
    id: int
    via: str
    """`stdio`, `memory`, `unix`, `websocket` or `http`."""
    name: NotRequired[Union[str, None]]
    """As it introduced itself."""
    version: NotRequired[Union[str, None]]
    pid: NotRequired[Union[int, None]]
    """The process at the other end, where the system tells."""
    since: int
    """Unix milliseconds."""
    cwd: NotRequired[Union[str, None]]
    """Where what is started for it works."""
    subscriptions: list[str]
    """The sessions that it watches."""
    inFlight: int
    """Its requests at work."""


class RunningTurn(TypedDict):
    sessionName: str
    turnId: str


class LiveSession(TypedDict):
    sessionName: str
    running: bool
    queued: int
    """Turns that wait behind the one that runs."""
    held: int
    """Actions that wait for a decision."""
    subscribers: int
    lastSeq: int


class ProviderWarmth(TypedDict):
    id: str
    state: str
    """`warm`, `cold` or `down`."""
    why: NotRequired[Union[str, None]]


class CodexState(TypedDict):
    state: str
    """As `codex.status` tells it."""
    pid: NotRequired[Union[int, None]]


class ChildRow(TypedDict):
    pid: int
    kind: str
    """`skill` or `codex`."""
    name: str
    """The skill's id, or the program."""
    since: int
    """Unix milliseconds."""


class UsageToday(TypedDict):
    day: str
    """In UTC, as 2026-03-31."""
    calls: int
    inputTokens: int
    outputTokens: int
    costUsd: float
    """US dollars, without the calls that have no price."""
    unpricedCalls: int


class HelloParams(TypedDict):
    version: str
    build: str
    protocolVersion: str
    pid: NotRequired[Union[int, None]]
    cwd: NotRequired[Union[str, None]]
    """Where the client works; what is started for it is started there."""
    env: NotRequired[Union[dict[str, str], None]]
    """What of the client's environment programs that are started for it may see; no secrets."""


class HelloResult(TypedDict):
    version: str
    build: str
    """When the program's file was written, in Unix seconds, and its length."""
    protocolVersion: str
    pid: int
    startedAt: int
    """Unix milliseconds."""
    idle: bool
    """Whether nobody else is connected and nothing runs."""
    frameBytes: int
    """The longest frame that is read."""
    headerBytes: int


class StopParams(TypedDict):
    when: NotRequired[StopWhen]


class StopResult(TypedDict):
    stopping: bool
    """Whether it ends; the address is free for another daemon then."""
    reason: NotRequired[Union[str, None]]


class ReloadResult(TypedDict):
    changed: list[str]
    """The settings of the file that have changed, `table.key` for those in tables."""
    restartNeeded: list[str]
    """Those among them that are without effect until the daemon is started anew."""
    warnings: list[str]


class ApprovalParams(TypedDict):
    approvalId: str
    sessionName: str
    turnId: str
    actions: list[SuggestedAction]
    deadlineMs: int
    """Milliseconds from now; a later answer counts for nothing."""


class ApprovalAnswer(TypedDict):
    decision: Decision
    input: NotRequired[Any]
    """Replaces the input of the action; only if it is a single one. With an empty one in place of one that is
    not empty nothing is decided.
    """


class SkillCallParams(TypedDict):
    """An error is the skill's own, as in `{"error": {"code": 1, "message": "there is no such file"}}`: its
    message is what a model reads. After `$/cancelRequest` an answer counts for nothing. A skill that
    itself says something to Helm in the session of the turn that calls it waits for that turn, and that
    turn for the skill.
    """

    skill: str
    input: Any
    """Checked against the skill's schema."""
    sessionName: NotRequired[Union[str, None]]
    """Of the turn that calls; missing where a client does."""
    turnId: NotRequired[Union[str, None]]
    deadlineMs: int
    """How long an answer is waited for."""


class SkillCallResult(TypedDict):
    output: Any
    """Anything. At most 1 MiB of JSON."""


class CancelParams(TypedDict):
    id: Token


class EventParams(TypedDict):
    sessionName: str
    turnId: str
    seq: int
    """One more than that of the session's event before, or before `firstSeq`."""
    firstSeq: NotRequired[Union[int, None]]
    """There when this event stands for several: text that was merged because this client reads slowly."""
    event: Event


class TurnStartEvent(TypedDict):
    """A model is called; `iteration` counts from 1."""

    kind: Literal["turn-start"]
    iteration: int
    provider: str
    model: NotRequired[Union[str, None]]


class TextStartEvent(TypedDict):
    kind: Literal["text-start"]
    index: int


class TextDeltaEvent(TypedDict):
    kind: Literal["text-delta"]
    index: int
    text: str


class TextStopEvent(TypedDict):
    """With the whole text of the block."""

    kind: Literal["text-stop"]
    index: int
    text: str


class ReasoningDeltaEvent(TypedDict):
    kind: Literal["reasoning-delta"]
    index: int
    text: str


class ToolUseStartEvent(TypedDict):
    kind: Literal["tool-use-start"]
    index: int
    id: str
    name: str


class ToolUseInputEvent(TypedDict):
    """More of the input, as unfinished JSON text."""

    kind: Literal["tool-use-input"]
    index: int
    id: str
    partial: str


class ToolUseStopEvent(TypedDict):
    kind: Literal["tool-use-stop"]
    index: int
    id: str
    name: str
    input: Any


class ToolResultEvent(TypedDict):
    """A skill has run, or its call was refused."""

    kind: Literal["tool-result"]
    toolUseId: str
    skill: str
    ok: bool
    durationMs: int
    data: NotRequired[Any]
    error: NotRequired[Union[str, None]]


class ToolHeldEvent(TypedDict):
    """A call waits for a decision, by `conductor.approve` with this `actionId`."""

    kind: Literal["tool-held"]
    actionId: str
    toolUseId: str
    skill: str
    input: Any
    reason: str


class AttemptFailedEvent(TypedDict):
    """A model failed; another one is tried if there is any, or the same anew. Text blocks that are open then
    have no `text-stop` and are void: nothing of them is in the result.
    """

    kind: Literal["attempt-failed"]
    provider: str
    model: NotRequired[Union[str, None]]
    status: NotRequired[Union[int, None]]
    error: str


class TurnStopEvent(TypedDict):
    """A model has answered; `stopReason` is why it stopped, `tool-use` among others."""

    kind: Literal["turn-stop"]
    iteration: int
    stopReason: StopReason


class LoopDoneEvent(TypedDict):
    """The turn has ended: with its result, or after an `error`."""

    kind: Literal["loop-done"]
    stopReason: StopReason
    result: NotRequired[Union[TurnResult, None]]


class ErrorEvent(TypedDict):
    kind: Literal["error"]
    error: TurnError


class ResyncEvent(TypedDict):
    """Events before this one are gone from the buffer: read the session anew."""

    kind: Literal["resync"]


class TurnError(TypedDict):
    """Why a turn failed, as the event `error` carries it: a number, a sentence, and what a refused request
    has in `data`.
    """

    code: int
    message: str
    data: ErrorData


class ErrorData(TypedDict):
    """The `data` of every error."""

    code: Code
    message: str
    provider: NotRequired[Union[str, None]]
    status: NotRequired[Union[int, None]]
    """The HTTP status of the service behind it."""
    retryable: bool
    retryAfterMs: NotRequired[Union[int, None]]
    hint: NotRequired[Union[str, None]]
    """What to do about it."""
    requestId: str
    """Finds the rest of the story in the log."""
    attempts: NotRequired[Union[list[Attempt], None]]
    availableSkills: NotRequired[Union[list[str], None]]
    """With `E_SKILL_UNAVAILABLE`."""
    rpcError: NotRequired[Union[CodexRpcError, None]]
    """With `E_CODEX_RPC`."""
    didYouMean: NotRequired[Union[list[str], None]]
    """Names that come close to the one that is not known."""


class ApprovalResolvedParams(TypedDict):
    approvalId: str
    sessionName: str
    decision: NotRequired[Union[Decision, None]]
    """Null when nobody decided: the actions stay held."""


class ReloadedParams(TypedDict):
    ok: bool
    """Whether the configuration is in use now; if not, the one before it still is."""
    changed: list[str]
    restartNeeded: NotRequired[list[str]]
    """Those among them that are without effect until the daemon is started anew."""
    message: NotRequired[Union[str, None]]
    """What is wrong with it: file, line and key."""


class CodexNotificationParams(TypedDict):
    method: str
    """Of the app-server, as in `item/completed`."""
    params: Any
    threadId: NotRequired[Union[str, None]]


class CodexLostParams(TypedDict):
    count: int
    """How many notifications this client will not get."""


class CodexRequestResolvedParams(TypedDict):
    requestId: str
    how: CodexResolution


class ProgressParams(TypedDict):
    token: Token
    value: ProgressValue


class ProgressBegin(TypedDict):
    kind: Literal["begin"]
    title: str
    cancellable: bool
    turnId: str
    """The turn that the request is about: the `turnId` of its events and of its result."""


class ProgressReport(TypedDict):
    kind: Literal["report"]
    message: str


class ProgressEnd(TypedDict):
    kind: Literal["end"]
    message: NotRequired[Union[str, None]]


ContentBlock = Union[TextBlock, ImageBlock]


Content = Union[str, list[ContentBlock]]
"""Plain text, or blocks."""


Mode = Union[Literal["propose", "selective", "auto"], str]


Wait = Union[Literal["end", "accepted"], str]


Token = Union[int, str]
"""A request id or a progress token."""


MessageResult = Union[TurnResult, TurnAccepted]
"""`TurnResult` at the end of the turn, or only its id with `wait: "accepted"`."""


StopReason = Union[
    Literal[
        "end-turn",
        "max-tokens",
        "stop-sequence",
        "refusal",
        "content-filter",
        "context-exceeded",
        "other",
        "tool-use",
        "iteration-cap",
        "dangerous-skill",
        "cancelled",
        "error",
    ],
    str,
]


Halted = Union[Literal["iteration-cap", "dangerous-skill"], str]


Decision = Union[Literal["approve", "deny"], str]


CodexRpcResult = Any
"""What the app-server answered."""


DeviceStatus = Union[
    Literal["complete", "failed", "pending", "slow_down", "denied", "expired", "pending_configuration"],
    str,
]


StopWhen = Union[Literal["idle", "drain", "now"], str]


Event = Union[
    TurnStartEvent,
    TextStartEvent,
    TextDeltaEvent,
    TextStopEvent,
    ReasoningDeltaEvent,
    ToolUseStartEvent,
    ToolUseInputEvent,
    ToolUseStopEvent,
    ToolResultEvent,
    ToolHeldEvent,
    AttemptFailedEvent,
    TurnStopEvent,
    LoopDoneEvent,
    ErrorEvent,
    ResyncEvent,
]
"""`index` tells the blocks of one turn apart; several may be open at once."""


Code = Union[
    Literal[
        "E_PARSE",
        "E_INVALID_REQUEST",
        "E_NOT_FOUND",
        "E_BAD_REQUEST",
        "E_INTERNAL",
        "E_OVERLOADED",
        "E_NO_PROVIDER",
        "E_PROVIDER_FAILED",
        "E_FALLBACKS_EXHAUSTED",
        "E_AUTH",
        "E_HOST_NOT_ALLOWED",
        "E_SKILL_UNAVAILABLE",
        "E_SKILL_FAILED",
        "E_APPROVAL_REQUIRED",
        "E_SESSION_BUSY",
        "E_SPEND_CAP",
        "E_STORE",
        "E_CANCELLED",
        "E_SHUTTING_DOWN",
        "E_CODEX_RPC",
        "E_CODEX_LINK",
    ],
    str,
]
"""One number and one name for each thing a client branches on."""


CodexResolution = Union[Literal["answered", "declined", "settled", "lost"], str]
"""What became of a question of the app-server's."""


ProgressValue = Union[ProgressBegin, ProgressReport, ProgressEnd]
