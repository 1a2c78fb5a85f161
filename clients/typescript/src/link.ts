// A connection that is made anew when it is lost. What was under way on it fails; what is asked meanwhile waits.

import { CancellationTokenSource } from "vscode-jsonrpc/node";

import { pause, unlessAborted } from "./abort.js";
import type { Connection, Handlers } from "./connection.js";
import { converse } from "./connection.js";
import { cancelled, closed, errorOf, lost } from "./error.js";
import { checkJson } from "./json.js";
import type { InitializeParams, InitializeResult } from "./protocol.js";
import type { Way } from "./transport.js";
import { open } from "./transport.js";

export type State = "connected" | "reconnecting" | "closed";

export interface LinkOptions extends Handlers {
  way: Way;
  who: InitializeParams;
  /** How often a lost connection is tried to be made anew. */
  attempts: number;
  /** Milliseconds that each of them may take. */
  timeoutMs: number;
  /** Gives the first one up. */
  signal: AbortSignal | undefined;
  /** A new connection stands, in place of one that was lost. What is asked by `ask` comes before all that waits. */
  again(ask: Ask): void;
  changed(state: State, error?: unknown): void;
}

export type Ask = (method: string, params: object) => Promise<unknown>;

/** Milliseconds before another try, doubled each time. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5000;

export class Link {
  readonly #options: LinkOptions;
  readonly #closing = new AbortController();
  readonly #asked = new Set<() => void>();
  #current: Promise<Connection>;
  #initialized: InitializeResult | undefined;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#current = this.#connect(options.signal);
  }

  /** The first connection is tried to be made once. */
  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    await link.#current;
    return link;
  }

  /** What the daemon said of itself, the last time. */
  get initialized(): InitializeResult {
    if (this.#initialized === undefined) throw closed();
    return this.#initialized;
  }

  async request(method: string, params: object, signal?: AbortSignal): Promise<unknown> {
    checkJson(params, `what ${method} is given`);
    const connection = await unlessAborted(this.#current, signal).catch((error: unknown) => {
      throw this.#closing.signal.aborted ? closed() : error;
    });
    if (signal?.aborted) throw cancelled(signal);
    if (this.#closing.signal.aborted) throw closed();
    return this.#ask(connection, method, params, signal);
  }

  /** Cancels what is under way, and lets go. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const cancel of this.#asked) cancel();
    const connection = await this.#current.catch(() => undefined);
    this.#current = Promise.reject(closed());
    this.#current.catch(() => undefined);
    if (connection === undefined) return;
    await connection.end();
    await connection.gone;
    this.#options.changed("closed");
  }

  async #ask(connection: Connection, method: string, params: object, signal?: AbortSignal): Promise<unknown> {
    const source = new CancellationTokenSource();
    const cancel = (): void => {
      try {
        source.cancel();
      } catch {
        // The connection is gone, and the request with it.
      }
    };
    signal?.addEventListener("abort", cancel, { once: true });
    this.#asked.add(cancel);
    try {
      return await connection.rpc.sendRequest(method, params, source.token);
    } catch (error) {
      throw this.#closing.signal.aborted ? closed() : errorOf(error, signal);
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#asked.delete(cancel);
      source.dispose();
    }
  }

  async #connect(signal?: AbortSignal): Promise<Connection> {
    const { way, who, timeoutMs } = this.#options;
    const signals = [this.#closing.signal, signal];
    for (const given of signals) if (given?.aborted) throw cancelled(given);
    const connection = await converse(await open(way), who, this.#options, { timeoutMs, signals });
    this.#initialized = connection.initialized;
    void connection.lost.then(() => this.#lost(connection.gone));
    return connection;
  }

  /** What is asked from now on waits for the next one. */
  #lost(gone: Promise<void>): void {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    this.#current = this.#reconnect(gone);
    this.#current.then(
      () => {
        if (!signal.aborted) this.#options.changed("connected");
      },
      (error: unknown) => this.#options.changed("closed", signal.aborted ? undefined : error),
    );
  }

  async #reconnect(gone: Promise<void>): Promise<Connection> {
    await gone;
    this.#options.changed("reconnecting");
    let error: unknown = lost();
    for (let attempt = 0; attempt < this.#options.attempts; attempt += 1) {
      if (attempt > 0) await pause(Math.min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE), this.#closing.signal);
      try {
        const connection = await this.#connect();
        this.#options.again((method, params) => this.#ask(connection, method, params));
        return connection;
      } catch (cause) {
        error = cause;
      }
    }
    throw error;
  }
}
