// Made by `open-think schema --format ts`; not to be changed by hand.

/** One of the values that are known here, or another. */
export type Open<Known extends string> = Known | (string & {});

/** Stands for every string that is not known here. As the value of an enum it is apart from all that are. */
declare enum Another {
  Value = "",
}

/** A variant that is not known here. Comparing its tag with a known one rules it out, so that known ones have types. */
export type Unknown<Tag extends string> = { [tag in Tag]: Another } & { [field: string]: unknown };

export const PROTOCOL_VERSION = "1.0";

export interface InitializeParams {
  /** The process that started us; over stdio we end with it. */
  processId?: number | null;
  clientInfo?: ClientInfo | null;
  /** The protocol version that the client was written for, `major.minor`. */
  protocolVersion?: unknown;
  capabilities?: ClientCapabilities;
  /**
   * `cwd` and `env`, where they are there, say where the programs work that are started for the client, and which part of
   * its environment they see: what a program needs to find its way, and never keys.
   */
  initializationOptions?: unknown;
}

export interface ClientInfo {
  name: string;
  version?: string | null;
}

/** Capabilities of other protocols may stand beside ours; they are ignored. */
export interface ClientCapabilities {
  /** Whether the client answers `conductor.approval`. Default `false`. */
  approvals?: boolean;
  /** Whether the client answers `skills.call`, and so may register skills. Default `false`. */
  skills?: boolean;
}

export interface InitializeResult {
  capabilities: ServerCapabilities;
  serverInfo: ServerInfo;
}

export interface ServerCapabilities {
  protocolVersion: string;
  /** The methods that this daemon answers. */
  methods: string[];
  /** The modes of `conductor.message`. */
  modes: string[];
}

export interface ServerInfo {
  name: string;
  version: string;
}

/** No members. */
export type Empty = Record<string, never>;

export interface MessageParams {
  content: Content;
  /** Default `conductor:default`. Made when it is new. */
  sessionName?: string;
  /** Default `propose`. */
  mode?: Mode | null;
  /** Default: the first provider that is enabled and configured. */
  provider?: string | null;
  /** Default: the provider's own. */
  model?: string | null;
  /** Model calls that this turn may make, 1 to 12. Default `6`. */
  maxIterations?: number;
  /**
   * Tried in order when the first choice fails before anything of its answer was shown. Each is `provider/model`, or
   * a provider alone. Where the text before the first `/` is no provider that is enabled and configured, the whole
   * is a model's name: of this turn's own provider if that takes such names (the AI gateway knows vendors, an
   * OpenAI-compatible server may have any), else of the first provider that knows the vendor. A name without `/`
   * that is no provider is a model of the turn's own. In `selective` and `auto` a fallback that can only propose is
   * passed over. Default `[]`.
   */
  fallbackModels?: string[];
  /**
   * Milliseconds after which a model whose answer is not complete counts as failed and is hung up on. Where an
   * app-server runs the turn, milliseconds until the first sign of the model.
   */
  perModelTimeoutMs?: number | null;
  /**
   * The thread of the app-server that this session uses from now on, in turns that propose or in those that work, as
   * this one does; only with a provider that is an app-server. Default: the session's own.
   */
  threadId?: string | null;
  /**
   * Whether the content goes into the turn that runs in the session: that turn's result is then the answer, and the
   * other parameters count for nothing but how it is told. Where none runs, or one that takes nothing more, or one of
   * another `mode`, `provider` or `model` than is given here, it is a message like any other. Where it is lost
   * whether the turn has taken it, that is the error, `E_PROVIDER_FAILED`, and nothing else is done with it. Default `false`.
   */
  steer?: boolean;
  /** Whether this connection gets the turn's events. With `wait: "accepted"` it gets `error` and `loop-done` anyway. Default `false`. */
  stream?: boolean;
  /** Default `end`. */
  wait?: Wait;
  /** Whether the result has the provider's own last answer in `raw`. Default `false`. */
  includeRaw?: boolean;
  /** Whether the turn goes on when this client hangs up. A daemon that serves on standard input ends with its client. Default `false`. */
  detach?: boolean;
  /** Whether to wait behind a running turn of the session; without it a busy session is an error. Default `true`. */
  queue?: boolean;
  workDoneToken?: Token | null;
}

/** Plain text, or blocks. */
export type Content =
  | string
  | ContentBlock[];

export interface TextBlock {
  type: "text";
  text: string;
}

/** Either `url`, or `mediaType` and `data` in base64. */
export interface ImageBlock {
  type: "image";
  url?: string | null;
  mediaType?: string | null;
  data?: string | null;
}

export type ContentBlock =
  | TextBlock
  | ImageBlock;

export type Mode =
  /** Plan only. */
  | "propose"
  /** Run safe skills, hold dangerous ones for approval. */
  | "selective"
  /** Run all. */
  | "auto";

export type Wait =
  /** Answer at the end of the turn. */
  | "end"
  /** Answer `{turnId}` at once; the end comes as the event `loop-done`. */
  | "accepted";

/** A request id or a progress token. */
export type Token =
  | number
  | string;

export interface TurnAccepted {
  turnId: string;
}

/** `TurnResult` at the end of the turn, or only its id with `wait: "accepted"`. */
export type MessageResult =
  | TurnResult
  | TurnAccepted;

export interface TurnResult {
  sessionName: string;
  turnId: string;
  /** The mode that was in force. */
  mode: Open<Mode>;
  modeRequested: Open<Mode>;
  downgradeReason?: string | null;
  /** What Helm said last; null if it said nothing. */
  assistantMessage?: SessionMessage | null;
  /** Actions that wait for a decision, by `conductor.approve`. */
  suggestedActions: SuggestedAction[];
  /** The skills that ran, or were refused, in order. */
  trace: TraceEntry[];
  stopReason: Open<StopReason>;
  /** Why the model declined, when `stopReason` is `refusal` and the provider says so. */
  refusal?: string | null;
  /** Model calls made. */
  iterationsUsed: number;
  providerUsed: string;
  modelUsed?: string | null;
  /** The sum over all model calls of this turn. */
  usage: Usage;
  /** Every try of a model, the failed ones too. */
  attempts: Attempt[];
  /** There only when the turn was cut short. */
  halted?: Open<Halted> | null;
  /**
   * What the provider said beside its last answer: `path` (the way that was taken), cache status, request ids, rate
   * limits. Which names there are depends on the provider.
   */
  metadata?: Record<string, unknown>;
  raw?: unknown;
}

export interface SessionMessage {
  id: string;
  turnId: string;
  /** `user`, `assistant`, `system` or `tool`. */
  role: string;
  /** The visible text. */
  content: string;
  /** The skill calls of an assistant message, the results in a tool message, images. */
  blocks?: unknown[];
  /** The provider of an assistant message. */
  provider?: string | null;
  createdAt: number;
}

export interface SuggestedAction {
  id: string;
  skill: string;
  /**
   * The one that brings the skill, as `skills.list` has it: approved, the action runs only while it is the same. Left out
   * where there is no such skill, and for what an app-server would do of its own.
   */
  plugin?: string | null;
  input?: unknown;
  toolUseId?: string | null;
  reason?: string | null;
  dangerous: boolean;
}

export interface TraceEntry {
  toolUseId: string;
  skill: string;
  input: unknown;
  ok: boolean;
  result?: unknown;
  error?: string | null;
  durationMs: number;
}

export type StopReason =
  | "end-turn"
  | "max-tokens"
  | "stop-sequence"
  | "refusal"
  | "content-filter"
  | "context-exceeded"
  | "other"
  /** In events only: the model called skills, and the turn goes on. */
  | "tool-use"
  /** The model wanted to go on, but `maxIterations` was reached. */
  | "iteration-cap"
  /** Dangerous skills wait for a decision. */
  | "dangerous-skill"
  /** Interrupted. */
  | "cancelled"
  /** The turn failed. */
  | "error";

/** Tokens; what a provider does not report is left out. */
export interface Usage {
  /** All of the input, cached or not. */
  inputTokens?: number | null;
  /** All of the output, reasoning included. */
  outputTokens?: number | null;
  cachedTokens?: number | null;
  cacheWriteTokens?: number | null;
  reasoningTokens?: number | null;
  /** US dollars, where the provider says what a call cost or a price is configured. */
  costUsd?: number | null;
}

export interface Attempt {
  provider: string;
  model?: string | null;
  ok: boolean;
  /** The HTTP status of a failed one. */
  status?: number | null;
  error?: string | null;
  durationMs: number;
}

export type Halted =
  | "iteration-cap"
  | "dangerous-skill";

export interface ApproveParams {
  /** Default `conductor:default`. */
  sessionName?: string;
  actionIds: string[];
  decision: Decision;
  /**
   * Replaces the input of the action; only with a single one. An empty one does not replace one that is not empty, and
   * is refused: leave it out to run the action as it was shown.
   */
  input?: unknown;
  /** Whether the model hears of it and the turn goes on. Default `true`. */
  continue?: boolean;
  /** Default `false`. */
  stream?: boolean;
  /** Default `end`. */
  wait?: Wait;
  /** Default `false`. */
  includeRaw?: boolean;
  /** Default `false`. */
  detach?: boolean;
  workDoneToken?: Token | null;
}

export type Decision =
  | "approve"
  | "deny";

export interface InterruptParams {
  sessionName: string;
}

export interface InterruptResult {
  /** Whether there was a turn to stop. */
  interrupted: boolean;
}

export interface SubscribeParams {
  sessionName: string;
  /** Replay what came after this sequence number, as far as it is buffered. Default: live only. */
  afterSeq?: number | null;
}

export interface SubscribeResult {
  /** The sequence number of the session's last event so far; 0 if it has had none. */
  seq: number;
}

export interface UnsubscribeParams {
  sessionName: string;
}

export interface SessionsListResult {
  sessions: SessionSummary[];
}

export interface SessionSummary {
  sessionName: string;
  createdAt: number;
  updatedAt: number;
  messageCount: number;
  /** Actions that wait for a decision. */
  heldCount: number;
  running: boolean;
  /**
   * The conversation as the provider's own engine keeps it, where one runs the turns of this session: of those that
   * work, or else of those that propose.
   */
  threadId?: string | null;
}

export interface SessionParams {
  sessionName: string;
}

export interface SessionDetail {
  sessionName: string;
  createdAt: number;
  updatedAt: number;
  messageCount: number;
  /** Actions that wait for a decision. */
  heldCount: number;
  running: boolean;
  /**
   * The conversation as the provider's own engine keeps it, where one runs the turns of this session: of those that
   * work, or else of those that propose.
   */
  threadId?: string | null;
  /** The sequence number of the session's last event; 0 if it has had none. */
  seq: number;
  heldActions: SuggestedAction[];
}

export interface SessionMessagesParams {
  sessionName: string;
  /** At most this many, 1 to 1000; default 100. */
  limit?: number | null;
  /** Only messages before the one with this id. */
  before?: string | null;
}

export interface SessionMessagesResult {
  messages: SessionMessage[];
}

export interface SessionDeleteResult {
  /** Whether there was one. */
  deleted: boolean;
}

export interface SkillsListResult {
  skills: SkillRow[];
}

export interface SkillRow {
  id: string;
  description: string;
  plugin: string;
  tags: string[];
  /** A JSON Schema. */
  inputSchema: unknown;
  dangerous: boolean;
}

export interface SkillInvokeParams {
  skill: string;
  input?: unknown;
  /** A dangerous skill runs only with it. Default `false`. */
  confirm?: boolean;
}

export interface SkillInvokeResult {
  /** Always true: a failure is an error. */
  ok: boolean;
  data: unknown;
}

/** What the client can do is offered as skills: to Helm in each turn that begins from then on, and to every client. */
export interface SkillsRegisterParams {
  /** Taken whole or not at all. One whose id this client has registered before takes the place of that one. */
  skills: ClientSkill[];
}

export interface ClientSkill {
  /**
   * Kebab-case, at most 64 letters long, and none of the daemon's own. Where several clients have the same, a client's
   * own turns and calls get its own skill, and all others that of who came first.
   */
  id: string;
  /** What it does and when to use it, for people and models; at most 1,000 letters, in one line. */
  description: string;
  /** A JSON Schema of type `object`; any object where it is left out. */
  inputSchema?: unknown;
  /** Whether it waits for the user's leave: so, unless it is said otherwise. */
  dangerous?: boolean | null;
  /** How long the client may take to answer: a minute where it is left out, an hour at most. */
  timeoutMs?: number | null;
}

export interface SkillsRegisteredResult {
  /** All that this client offers now, in the order in which it registered them first. */
  registered: string[];
}

export interface SkillsUnregisterParams {
  /** Ids; those that this client does not offer are passed over. */
  skills: string[];
}

export interface ProvidersListResult {
  /** In the order in which Helm prefers them. */
  providers: ProviderRow[];
  /** Model servers on this machine that could be used and are not. Default `[]`. */
  discovered?: DiscoveredRow[];
}

export interface ProviderRow {
  id: string;
  description: string;
  enabled: boolean;
  configured: boolean;
  /**
   * How the connection to it stands: `unknown`, `connecting`, `warm` or `failed`; more may come. It is told for
   * people, and keeps no request from going there.
   */
  state: string;
  /** Whether the last call went well; left out while there has been none. */
  healthy?: boolean | null;
  /** Of the last call, or of the connection. */
  lastError?: string | null;
  /** Milliseconds to the first byte of the answer to the last call or probe. */
  latencyMs?: number | null;
  /** When it was last called or probed; Unix milliseconds. */
  checkedAt?: number | null;
  /** Whether a request that names no provider would go here. */
  default: boolean;
  defaultModel?: string | null;
  /** Settings that are missing. */
  missing: string[];
  hint?: string | null;
}

export interface DiscoveredRow {
  /** Of the program. */
  name: string;
  url: string;
  /** The first fifty. */
  models: string[];
  /** How to use it. */
  hint: string;
}

export interface ProvidersModelsParams {
  provider: string;
}

export interface ProvidersModelsResult {
  models: ModelRow[];
}

export interface ModelRow {
  id: string;
  name?: string | null;
  /** Tokens. */
  contextWindow?: number | null;
}

export interface CodexRpcParams {
  /** Of the app-server, as in `thread/list`. */
  method: string;
  /** Go to the app-server as they are; an empty object if left out. */
  params?: unknown;
  /** How long the answer may take; the configuration's own limit if left out. */
  timeoutMs?: number | null;
  /** The call runs only with it, unless the configuration says otherwise. Default `false`. */
  confirm?: boolean;
}

/** What the app-server answered. */
export type CodexRpcResult = unknown;

export interface CodexStatusParams {
  /** Whether to ask the app-server who is signed in and what is left of the limits. Default `false`. */
  probe?: boolean;
}

export interface CodexStatusResult {
  /** Whether there is an app-server to speak to. */
  configured: boolean;
  /**
   * The way in that the plugin takes: `app-server`, `app-server-spawn`, `api-key`, `chatgpt-tokens`; none if there is
   * none.
   */
  mode?: string | null;
  link?: CodexLink | null;
  /** Who is signed in, as `account/read` says; with `probe`. */
  account?: unknown;
  /** The windows of the subscription's limits, as last heard of. */
  rateLimits?: CodexRateLimit[];
  /** What stands in the way, and what to do about it. */
  problem?: CodexProblem | null;
  /** Questions of the app-server's that wait for an answer of a client. */
  pendingRequests: number;
  /** Threads whose events somebody here gets. */
  threads: number;
}

export interface CodexLink {
  /** `cold`, `connecting`, `handshaking`, `ready`, `draining`, `backoff` or `refused`. */
  state: string;
  /** Since when; Unix milliseconds. */
  since: number;
  /** Why it is not up. */
  fault?: CodexProblem | null;
  /** When the next attempt is due; Unix milliseconds. */
  retryAt?: number | null;
  server?: CodexServer | null;
  /** `websocket`, `unix`, `http` or `spawn`. */
  transport: string;
  /** The address, or the program that is started. */
  endpoint: string;
  /** Of the process, where the daemon started it. */
  pid?: number | null;
  /** How often it has become ready. */
  connects: number;
  /** Requests that wait for an answer. */
  inFlight: number;
  /** Requests that wait for a place among those. */
  waiting: number;
}

export interface CodexProblem {
  /**
   * As in `not-installed`, `not-signed-in`, `wrong-token`, `host-not-allowed`, `nothing-listening`, `wrong-version`,
   * `usage-limit-reached`; more may come.
   */
  kind: string;
  message: string;
  hint?: string | null;
}

export interface CodexServer {
  userAgent: string;
  version?: string | null;
  codexHome?: string | null;
  platform?: string | null;
}

export interface CodexRateLimit {
  /** Which limit, as in `codex`. */
  limitId?: string | null;
  /** `primary` or `secondary`. */
  window: string;
  usedPercent: number;
  windowMinutes?: number | null;
  /** Unix seconds. */
  resetsAt?: number | null;
  /** The same in ISO 8601, in UTC. */
  resetsAtIso?: string | null;
  resetsInSeconds?: number | null;
}

export interface CodexSubscribeParams {
  /** All threads, and what belongs to none, if left out. */
  threadId?: string | null;
}

export interface CodexSubscribeResult {
  /** What the app-server asks and nobody has answered yet. */
  pending: CodexRequestParams[];
}

export interface CodexRequestParams {
  /** What `codex.respond` answers. */
  requestId: string;
  /** Of the app-server, as in `item/commandExecution/requestApproval`. */
  method: string;
  params: unknown;
  threadId?: string | null;
  /** How long an answer is waited for, from now on; then the daemon declines. */
  deadlineMs: number;
}

/** One of `result` and `error`. */
export interface CodexRespondParams {
  requestId: string;
  /** Goes to the app-server as it is. */
  result?: unknown;
  error?: CodexRpcError | null;
}

/** An error of the app-server, as it came. */
export interface CodexRpcError {
  code: number;
  message: string;
  data?: unknown;
}

export interface CodexRespondResult {
  /** False if the request is settled already; the first answer counts. */
  accepted: boolean;
}

export interface DeviceStartResult {
  status: Open<DeviceStatus>;
  /** For `oauth.codex.devicePoll`. This and the next four are there while the status is `pending`. */
  deviceCode?: string | null;
  /** What the user types in. */
  userCode?: string | null;
  /** Where. */
  verificationUri?: string | null;
  /** Where nothing has to be typed in, if there is such a place. */
  verificationUriComplete?: string | null;
  /** Seconds. */
  expiresIn?: number | null;
  /** Seconds to wait before asking, and between two questions. */
  interval?: number | null;
  /** With `pending_configuration`: the settings of which one is to be set. */
  missing?: string[];
  message?: string | null;
  hint?: string | null;
}

export type DeviceStatus =
  | "complete"
  | "failed"
  /** The user has not decided yet. */
  | "pending"
  /** It was asked before `interval` was over; the question went no further. */
  | "slow_down"
  /** The user said no. */
  | "denied"
  /** The code is too old, or was never given out. */
  | "expired"
  /** There is no way to sign in; `missing` says what to set. */
  | "pending_configuration";

export interface DevicePollParams {
  deviceCode: string;
}

export interface DevicePollResult {
  status: Open<DeviceStatus>;
  /** Seconds to wait before asking again, while it goes on. */
  interval?: number | null;
  /** Seconds, while it goes on. */
  expiresIn?: number | null;
  /** With `complete`. */
  login?: CodexLogin | null;
  /** With `pending_configuration`: the settings of which one is to be set. */
  missing?: string[];
  message?: string | null;
  hint?: string | null;
}

/** A sign-in that holds. */
export interface CodexLogin {
  /** Who keeps the tokens and refreshes them: `daemon` or `app-server`. */
  owner: string;
  account?: string | null;
  email?: string | null;
  plan?: string | null;
  /** When the access token expires, which is refreshed before; seconds since 1970. */
  expiresAt?: number | null;
  /** The file where the tokens are. */
  keptIn?: string | null;
}

export interface DeviceCancelResult {
  /** False if there was none that went on. */
  cancelled: boolean;
}

export interface LogoutResult {
  /** Whether there was a sign-in of the daemon's own, which is now deleted. */
  signedOut: boolean;
  /** Whose it was, if that is known. */
  account?: string | null;
  email?: string | null;
  /** Why the issuer may still take the refresh token, if so. */
  notRevoked?: string | null;
}

export interface StatusResult {
  version: string;
  /** When the program's file was written, in Unix seconds, and its length. */
  build: string;
  protocolVersion: string;
  pid: number;
  /** Unix milliseconds. */
  startedAt: number;
  uptimeMs: number;
  /** Resident memory in bytes, where the system tells. */
  memoryBytes?: number | null;
  /** Where it listens, if it is shared. */
  socket?: string | null;
  http?: string | null;
  /** Why nobody listens for HTTP although it was to be, with the way out. */
  httpFault?: string | null;
  /** Where the token stands that HTTP asks for. */
  httpTokenFile?: string | null;
  /** Connections open now, this one included. */
  clients: number;
  connections: ConnectionRow[];
  runningTurns: RunningTurn[];
  /** Those in which something runs, waits, is held or is watched. */
  sessions: LiveSession[];
  defaultProvider?: string | null;
  enabledPlugins: string[];
  /** Those that can be asked. */
  providers: ProviderWarmth[];
  /** The connection to the Codex app-server, if there is to be one. */
  codex?: CodexState | null;
  /** Programs that it has started. */
  children: ChildRow[];
  skills: number;
  allowedHosts: string[];
  configFile: string;
  stateDir: string;
  logFile: string;
  /** How long it may have no client and nothing to do before it ends, if it is shared; zero means for ever. */
  idleTimeoutMs: number;
  /** What all calls of models of today came to; left out if it cannot be read. */
  usage?: UsageToday | null;
}

export interface ConnectionRow {
  id: number;
  /** `stdio`, `memory`, `unix`, `websocket` or `http`. */
  via: string;
  /** As it introduced itself. */
  name?: string | null;
  version?: string | null;
  /** The process at the other end, where the system tells. */
  pid?: number | null;
  /** Unix milliseconds. */
  since: number;
  /** Where what is started for it works. */
  cwd?: string | null;
  /** The sessions that it watches. */
  subscriptions: string[];
  /** Its requests at work. */
  inFlight: number;
}

export interface RunningTurn {
  sessionName: string;
  turnId: string;
}

export interface LiveSession {
  sessionName: string;
  running: boolean;
  /** Turns that wait behind the one that runs. */
  queued: number;
  /** Actions that wait for a decision. */
  held: number;
  subscribers: number;
  lastSeq: number;
}

export interface ProviderWarmth {
  id: string;
  /** `warm`, `cold` or `down`. */
  state: string;
  why?: string | null;
}

export interface CodexState {
  /** As `codex.status` tells it. */
  state: string;
  pid?: number | null;
}

export interface ChildRow {
  pid: number;
  /** `skill` or `codex`. */
  kind: string;
  /** The skill's id, or the program. */
  name: string;
  /** Unix milliseconds. */
  since: number;
}

export interface UsageToday {
  /** In UTC, as 2026-03-31. */
  day: string;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  /** US dollars, without the calls that have no price. */
  costUsd: number;
  unpricedCalls: number;
}

export interface HelloParams {
  version: string;
  build: string;
  protocolVersion: string;
  pid?: number | null;
  /** Where the client works; what is started for it is started there. */
  cwd?: string | null;
  /** What of the client's environment programs that are started for it may see; no secrets. */
  env?: Record<string, string> | null;
}

export interface HelloResult {
  version: string;
  /** When the program's file was written, in Unix seconds, and its length. */
  build: string;
  protocolVersion: string;
  pid: number;
  /** Unix milliseconds. */
  startedAt: number;
  /** Whether nobody else is connected and nothing runs. */
  idle: boolean;
  /** The longest frame that is read. */
  frameBytes: number;
  headerBytes: number;
}

export interface StopParams {
  /** Default `drain`. */
  when?: StopWhen;
}

export type StopWhen =
  | "idle"
  | "drain"
  | "now";

export interface StopResult {
  /** Whether it ends; the address is free for another daemon then. */
  stopping: boolean;
  reason?: string | null;
}

export interface ReloadResult {
  /** The settings of the file that have changed, `table.key` for those in tables. */
  changed: string[];
  /** Those among them that are without effect until the daemon is started anew. */
  restartNeeded: string[];
  warnings: string[];
}

export interface ApprovalParams {
  approvalId: string;
  sessionName: string;
  turnId: string;
  actions: SuggestedAction[];
  /** Milliseconds from now; a later answer counts for nothing. */
  deadlineMs: number;
}

export interface ApprovalAnswer {
  decision: Decision;
  /**
   * Replaces the input of the action; only if it is a single one. With an empty one in place of one that is not empty
   * nothing is decided.
   */
  input?: unknown;
}

/**
 * An error is the skill's own, as in `{"error": {"code": 1, "message": "there is no such file"}}`: its message is what a
 * model reads. After `$/cancelRequest` an answer counts for nothing. A skill that itself says something to Helm in the
 * session of the turn that calls it waits for that turn, and that turn for the skill.
 */
export interface SkillCallParams {
  skill: string;
  /** Checked against the skill's schema. */
  input: unknown;
  /** Of the turn that calls; missing where a client does. */
  sessionName?: string | null;
  turnId?: string | null;
  /** How long an answer is waited for. */
  deadlineMs: number;
}

export interface SkillCallResult {
  /** Anything. At most 1 MiB of JSON. */
  output: unknown;
}

export interface CancelParams {
  id: Token;
}

export interface EventParams {
  sessionName: string;
  turnId: string;
  /** One more than that of the session's event before, or before `firstSeq`. */
  seq: number;
  /** There when this event stands for several: text that was merged because this client reads slowly. */
  firstSeq?: number | null;
  event: Event;
}

/** A model is called; `iteration` counts from 1. */
export interface TurnStartEvent {
  kind: "turn-start";
  iteration: number;
  provider: string;
  model?: string | null;
}

export interface TextStartEvent {
  kind: "text-start";
  index: number;
}

export interface TextDeltaEvent {
  kind: "text-delta";
  index: number;
  text: string;
}

/** With the whole text of the block. */
export interface TextStopEvent {
  kind: "text-stop";
  index: number;
  text: string;
}

export interface ReasoningDeltaEvent {
  kind: "reasoning-delta";
  index: number;
  text: string;
}

export interface ToolUseStartEvent {
  kind: "tool-use-start";
  index: number;
  id: string;
  name: string;
}

/** More of the input, as unfinished JSON text. */
export interface ToolUseInputEvent {
  kind: "tool-use-input";
  index: number;
  id: string;
  partial: string;
}

export interface ToolUseStopEvent {
  kind: "tool-use-stop";
  index: number;
  id: string;
  name: string;
  input: unknown;
}

/** A skill has run, or its call was refused. */
export interface ToolResultEvent {
  kind: "tool-result";
  toolUseId: string;
  skill: string;
  ok: boolean;
  durationMs: number;
  data?: unknown;
  error?: string | null;
}

/** A call waits for a decision, by `conductor.approve` with this `actionId`. */
export interface ToolHeldEvent {
  kind: "tool-held";
  actionId: string;
  toolUseId: string;
  skill: string;
  input: unknown;
  reason: string;
}

/**
 * A model failed; another one is tried if there is any, or the same anew. Text blocks that are open then have no
 * `text-stop` and are void: nothing of them is in the result.
 */
export interface AttemptFailedEvent {
  kind: "attempt-failed";
  provider: string;
  model?: string | null;
  status?: number | null;
  error: string;
}

/** A model has answered; `stopReason` is why it stopped, `tool-use` among others. */
export interface TurnStopEvent {
  kind: "turn-stop";
  iteration: number;
  stopReason: Open<StopReason>;
}

/** The turn has ended: with its result, or after an `error`. */
export interface LoopDoneEvent {
  kind: "loop-done";
  stopReason: Open<StopReason>;
  result?: TurnResult | null;
}

export interface ErrorEvent {
  kind: "error";
  error: TurnError;
}

/** Events before this one are gone from the buffer: read the session anew. */
export interface ResyncEvent {
  kind: "resync";
}

/** `index` tells the blocks of one turn apart; several may be open at once. */
export type Event =
  | TurnStartEvent
  | TextStartEvent
  | TextDeltaEvent
  | TextStopEvent
  | ReasoningDeltaEvent
  | ToolUseStartEvent
  | ToolUseInputEvent
  | ToolUseStopEvent
  | ToolResultEvent
  | ToolHeldEvent
  | AttemptFailedEvent
  | TurnStopEvent
  | LoopDoneEvent
  | ErrorEvent
  | ResyncEvent
  | Unknown<"kind">;

/** Why a turn failed, as the event `error` carries it: a number, a sentence, and what a refused request has in `data`. */
export interface TurnError {
  code: number;
  message: string;
  data: ErrorData;
}

/** The `data` of every error. */
export interface ErrorData {
  code: Open<Code>;
  message: string;
  provider?: string | null;
  /** The HTTP status of the service behind it. */
  status?: number | null;
  retryable: boolean;
  retryAfterMs?: number | null;
  /** What to do about it. */
  hint?: string | null;
  /** Finds the rest of the story in the log. */
  requestId: string;
  attempts?: Attempt[] | null;
  /** With `E_SKILL_UNAVAILABLE`. */
  availableSkills?: string[] | null;
  /** With `E_CODEX_RPC`. */
  rpcError?: CodexRpcError | null;
  /** Names that come close to the one that is not known. */
  didYouMean?: string[] | null;
}

/** One number and one name for each thing a client branches on. */
export type Code =
  | "E_PARSE"
  | "E_INVALID_REQUEST"
  | "E_NOT_FOUND"
  | "E_BAD_REQUEST"
  | "E_INTERNAL"
  | "E_OVERLOADED"
  | "E_NO_PROVIDER"
  | "E_PROVIDER_FAILED"
  | "E_FALLBACKS_EXHAUSTED"
  | "E_AUTH"
  | "E_HOST_NOT_ALLOWED"
  | "E_SKILL_UNAVAILABLE"
  | "E_SKILL_FAILED"
  | "E_APPROVAL_REQUIRED"
  | "E_SESSION_BUSY"
  | "E_SPEND_CAP"
  | "E_STORE"
  | "E_CANCELLED"
  | "E_SHUTTING_DOWN"
  /** The Codex app-server itself said no. */
  | "E_CODEX_RPC"
  /** There is no answer of the Codex app-server's. */
  | "E_CODEX_LINK";

export interface ApprovalResolvedParams {
  approvalId: string;
  sessionName: string;
  /** Null when nobody decided: the actions stay held. */
  decision?: Open<Decision> | null;
}

export interface ReloadedParams {
  /** Whether the configuration is in use now; if not, the one before it still is. */
  ok: boolean;
  changed: string[];
  /** Those among them that are without effect until the daemon is started anew. */
  restartNeeded?: string[];
  /** What is wrong with it: file, line and key. */
  message?: string | null;
}

export interface CodexNotificationParams {
  /** Of the app-server, as in `item/completed`. */
  method: string;
  params: unknown;
  threadId?: string | null;
}

export interface CodexLostParams {
  /** How many notifications this client will not get. */
  count: number;
}

export interface CodexRequestResolvedParams {
  requestId: string;
  how: Open<CodexResolution>;
}

/** What became of a question of the app-server's. */
export type CodexResolution =
  /** A client answered it. */
  | "answered"
  /** Nobody answered in time, so the daemon declined. */
  | "declined"
  /** The app-server no longer wants an answer: another of its connections gave one, or the turn ended. */
  | "settled"
  /** The connection to the app-server broke. What is still open there is asked again, under another id. */
  | "lost";

export interface ProgressParams {
  token: Token;
  value: ProgressValue;
}

export interface ProgressBegin {
  kind: "begin";
  title: string;
  cancellable: boolean;
  /** The turn that the request is about: the `turnId` of its events and of its result. */
  turnId: string;
}

export interface ProgressReport {
  kind: "report";
  message: string;
}

export interface ProgressEnd {
  kind: "end";
  message?: string | null;
}

export type ProgressValue =
  | ProgressBegin
  | ProgressReport
  | ProgressEnd
  | Unknown<"kind">;

/** What a client may ask. */
export interface Requests {
  /** Introduces the client. Optional; at most once, and answered at once. */
  "initialize": { params: InitializeParams; result: InitializeResult };
  /** Announces the end of the connection; only `exit` may follow. */
  "shutdown": { params: Empty; result: null };
  /** Says something to Helm and answers with the end of the turn. */
  "conductor.message": { params: MessageParams; result: MessageResult };
  /** Decides held or suggested actions and goes on with the turn they belong to. */
  "conductor.approve": { params: ApproveParams; result: MessageResult };
  /** Stops the running turn of a session; whoever waits for it gets a result with stop reason `cancelled`. */
  "conductor.interrupt": { params: InterruptParams; result: InterruptResult };
  /** Sends this client the events of a session: what is buffered after `afterSeq`, then live. */
  "conductor.subscribe": { params: SubscribeParams; result: SubscribeResult };
  /** Ends a subscription. */
  "conductor.unsubscribe": { params: UnsubscribeParams; result: Empty };
  /** Lists the sessions, the one used last first. */
  "sessions.list": { params: Empty; result: SessionsListResult };
  /** Tells of one session, with its held actions. */
  "sessions.get": { params: SessionParams; result: SessionDetail };
  /** Gives the messages of a session in order, the newest `limit` of them. */
  "sessions.messages": { params: SessionMessagesParams; result: SessionMessagesResult };
  /** Deletes a session with its messages and actions, for good. */
  "sessions.delete": { params: SessionParams; result: SessionDeleteResult };
  /** Lists the skills on offer. */
  "skills.list": { params: Empty; result: SkillsListResult };
  /** Runs one skill, without a model. */
  "skills.invoke": { params: SkillInvokeParams; result: SkillInvokeResult };
  /** Offers what this client can do as skills, until it leaves. For clients that announced `skills`, after `initialized`. */
  "skills.register": { params: SkillsRegisterParams; result: SkillsRegisteredResult };
  /** Takes skills back that this client has registered. */
  "skills.unregister": { params: SkillsUnregisterParams; result: SkillsRegisteredResult };
  /** Lists the ways to a model: which are enabled, which are configured, and how to set up the rest. */
  "providers.list": { params: Empty; result: ProvidersListResult };
  /** Lists the models of one provider. */
  "providers.models": { params: ProvidersModelsParams; result: ProvidersModelsResult };
  /** Calls any method of the Codex app-server and answers with its result, untouched. */
  "codex.rpc": { params: CodexRpcParams; result: CodexRpcResult };
  /** Tells how the connection to the Codex app-server stands, and what stands in the way. */
  "codex.status": { params: CodexStatusParams; result: CodexStatusResult };
  /** Sends this client what the Codex app-server tells and asks: of one thread, or of all. */
  "codex.subscribe": { params: CodexSubscribeParams; result: CodexSubscribeResult };
  /** Ends such a subscription. */
  "codex.unsubscribe": { params: CodexSubscribeParams; result: Empty };
  /** Answers a question of the Codex app-server's; the first answer counts. */
  "codex.respond": { params: CodexRespondParams; result: CodexRespondResult };
  /** Begins a sign-in to ChatGPT by device code: says where to go and what to type in there. */
  "oauth.codex.deviceStart": { params: Empty; result: DeviceStartResult };
  /** Tells how far that sign-in is. What comes of it is kept by the daemon, or by the app-server. */
  "oauth.codex.devicePoll": { params: DevicePollParams; result: DevicePollResult };
  /** Gives up a sign-in that goes on. */
  "oauth.codex.deviceCancel": { params: DevicePollParams; result: DeviceCancelResult };
  /** Deletes the daemon's own sign-in to ChatGPT, and asks the issuer to revoke it. */
  "oauth.codex.logout": { params: Empty; result: LogoutResult };
  /** Tells of this process: version, clients, running turns, paths. */
  "daemon.status": { params: Empty; result: StatusResult };
  /** Tells what stands at each end of a connection: program, build, process. The first request of a shim. */
  "daemon.hello": { params: HelloParams; result: HelloResult };
  /** Ends the shared daemon: if it is idle, when what runs has come to its end, or now. */
  "daemon.stop": { params: StopParams; result: StopResult };
  /** Reads the configuration file again. What is wrong with it is the error, and the one before it stays in use. */
  "daemon.reload": { params: Empty; result: ReloadResult };
  /** Gives the OpenRPC document of this daemon. */
  "rpc.discover": { params: Empty; result: unknown };
}

/** What the daemon may ask. */
export interface ClientRequests {
  /** Asks the user about held actions. Sent only to clients that announced `approvals`; no answer means held. */
  "conductor.approval": { params: ApprovalParams; result: ApprovalAnswer };
  /** Runs a skill that this client has registered. `$/cancelRequest` says that nobody waits for it any more. */
  "skills.call": { params: SkillCallParams; result: SkillCallResult };
}

/** What the daemon tells. */
export interface Notifications {
  /** Cancels a request; one of the client's is then answered with error -32800. */
  "$/cancelRequest": CancelParams;
  /** Something happened in a session. Sequence numbers of one session have no holes. */
  "conductor.event": EventParams;
  /** An approval that this client was asked for has been settled elsewhere. */
  "conductor.approvalResolved": ApprovalResolvedParams;
  /** The configuration file was read again, because it changed or somebody asked for it. */
  "daemon.reloaded": ReloadedParams;
  /** The Codex app-server tells something. Comes for threads that this client started or subscribed to. */
  "codex.notification": CodexNotificationParams;
  /** This client read too slowly: so many notifications of the Codex app-server's are missing here. Read the thread anew. */
  "codex.lost": CodexLostParams;
  /** The Codex app-server asks something: answer it with `codex.respond`. No answer means no. */
  "codex.request": CodexRequestParams;
  /** A question of the Codex app-server's that this client was told of is settled. */
  "codex.requestResolved": CodexRequestResolvedParams;
  /** Progress of a request that carried a `workDoneToken`. */
  "$/progress": ProgressParams;
}

/** What a client may tell. */
export interface ClientNotifications {
  /** The client is ready for requests from the daemon. */
  "initialized": Empty;
  /** Ends the connection: with code 0 after `shutdown`, else 1. */
  "exit": Empty;
  /** Cancels a request; one of the client's is then answered with error -32800. */
  "$/cancelRequest": CancelParams;
}
