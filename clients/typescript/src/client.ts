// What a program does with the daemon.

import { asyncDispose } from "./dispose.js";
import { closed } from "./error.js";
import type { Link } from "./link.js";
import type { Listeners } from "./listeners.js";
import type * as protocol from "./protocol.js";
import type { SignInOptions } from "./sign_in.js";
import { signIn } from "./sign_in.js";
import type { ClientSkill, SkillHandler, SkillRegistration } from "./skill.js";
import type { Skills } from "./skills.js";
import type { SubscribeOptions, Subscription } from "./subscription.js";
import type { Subscriptions } from "./subscriptions.js";
import { Turn } from "./turn.js";
import type { Turns } from "./turns.js";

type Told = "stream" | "wait" | "workDoneToken";

export type Message = Omit<protocol.MessageParams, Told>;
export type Approval = Omit<protocol.ApproveParams, Told>;

export interface RequestOptions {
  /** Cancels the request. */
  signal?: AbortSignal | undefined;
}

/** @internal */
export interface Parts {
  link: Link;
  turns: Turns;
  listeners: Listeners;
  subscriptions: Subscriptions;
  skills: Skills;
  /** Ends the connection. */
  close(): Promise<void>;
}

const DEFAULT_SESSION = "conductor:default";

export class Client {
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The daemon's name, version, methods and modes. */
  get server(): protocol.InitializeResult {
    return this.#parts.link.initialized;
  }

  /** Says something to Helm. An aborted signal cancels the turn; `result` then rejects with `E_CANCELLED`. */
  message(message: Message, options: RequestOptions = {}): Turn {
    return this.#turn("conductor.message", message, options);
  }

  /** Decides held or suggested actions; the turn that they belong to goes on. */
  approve(approval: Approval, options: RequestOptions = {}): Turn {
    return this.#turn("conductor.approve", approval, options);
  }

  /** Stops the turn that runs in a session, whoever asked for it. */
  async interrupt(sessionName = DEFAULT_SESSION): Promise<boolean> {
    return (await this.request("conductor.interrupt", { sessionName })).interrupted;
  }

  /** Watches a session, and with `approve` is asked about the actions that are held there. */
  async subscribe(sessionName: string, options: SubscribeOptions = {}): Promise<Subscription> {
    if (this.#closed !== undefined) throw closed();
    return this.#parts.subscriptions.subscribe(sessionName, options);
  }

  /** Runs one skill, without a model. A dangerous one needs `confirm`. */
  async invoke(skill: string, input?: unknown, options: RequestOptions & { confirm?: boolean } = {}): Promise<unknown> {
    const { confirm = false, signal } = options;
    return (await this.request("skills.invoke", { skill, input: input ?? null, confirm }, { signal })).data;
  }

  async skills(): Promise<protocol.SkillRow[]> {
    return (await this.request("skills.list", {})).skills;
  }

  /** Offers a skill to Helm, and to all other clients, for as long as this client is connected. */
  async registerSkill<Input = unknown>(skill: ClientSkill, handler: SkillHandler<Input>): Promise<SkillRegistration> {
    if (this.#closed !== undefined) throw closed();
    return this.#parts.skills.register(skill, handler);
  }

  /** The ways to a model, and what is missing for those that cannot be used. */
  async providers(): Promise<protocol.ProviderRow[]> {
    return (await this.request("providers.list", {})).providers;
  }

  async models(provider: string): Promise<protocol.ModelRow[]> {
    return (await this.request("providers.models", { provider })).models;
  }

  status(): Promise<protocol.StatusResult> {
    return this.request("daemon.status", {});
  }

  readonly sessions = {
    list: async (): Promise<protocol.SessionSummary[]> => (await this.request("sessions.list", {})).sessions,
    get: (sessionName: string): Promise<protocol.SessionDetail> => this.request("sessions.get", { sessionName }),
    messages: async (
      sessionName: string,
      options: Omit<protocol.SessionMessagesParams, "sessionName"> = {},
    ): Promise<protocol.SessionMessage[]> =>
      (await this.request("sessions.messages", { sessionName, ...options })).messages,
    /** False if there was none. */
    delete: async (sessionName: string): Promise<boolean> =>
      (await this.request("sessions.delete", { sessionName })).deleted,
  };

  readonly codex = {
    status: (options: protocol.CodexStatusParams = {}): Promise<protocol.CodexStatusResult> =>
      this.request("codex.status", options),
    /** Calls any method of the Codex app-server. */
    rpc: (
      method: string,
      params?: unknown,
      { signal, ...more }: RequestOptions & Omit<protocol.CodexRpcParams, "method" | "params"> = {},
    ): Promise<protocol.CodexRpcResult> =>
      this.request("codex.rpc", { method, ...(params === undefined ? {} : { params }), ...more }, { signal }),
  };

  /** Signs in to ChatGPT by device code, and returns once that is done. */
  signIn(options: SignInOptions): Promise<protocol.DevicePollResult> {
    return signIn(this.request.bind(this), options);
  }

  /** Any method of the protocol. Turns and their events come by `message`, `approve` and `subscribe`. */
  async request<Method extends keyof protocol.Requests>(
    method: Method,
    params: protocol.Requests[Method]["params"],
    { signal }: RequestOptions = {},
  ): Promise<protocol.Requests[Method]["result"]> {
    return (await this.#ask(method, params, { signal })) as protocol.Requests[Method]["result"];
  }

  /** What the daemon tells this connection, until the function that is returned is called. */
  on<Method extends keyof protocol.Notifications>(
    method: Method,
    listener: (params: protocol.Notifications[Method]) => void,
  ): () => void {
    return this.#parts.listeners.add(method, listener as (params: unknown) => void);
  }

  /** Ends the connection, never the daemon. What is under way fails. */
  close(): Promise<void> {
    return (this.#closed ??= this.#parts.close());
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }

  #turn(method: string, params: Message | Approval, { signal }: RequestOptions): Turn {
    const { turns } = this.#parts;
    const sessionName = params.sessionName ?? DEFAULT_SESSION;
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const ask = async (turn: Turn): Promise<protocol.TurnResult> => {
      const workDoneToken = turns.add(turn);
      try {
        const asked = { ...params, stream: true, workDoneToken };
        const result = (await this.#ask(method, asked, { signal: stop.signal })) as protocol.TurnResult;
        turns.accept(workDoneToken, result.turnId);
        return result;
      } finally {
        turns.delete(workDoneToken);
        signal?.removeEventListener("abort", abort);
      }
    };
    return new Turn(sessionName, { ask, interrupt: () => this.interrupt(sessionName), cancel: () => stop.abort() });
  }

  async #ask(method: string, params: object, options: RequestOptions): Promise<unknown> {
    if (this.#closed !== undefined) throw closed();
    return this.#parts.link.request(method, params, options.signal);
  }
}
