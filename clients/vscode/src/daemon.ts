// The connection to the daemon: made when it is first needed, dropped when the settings say otherwise.

import { EventEmitter, workspace } from "vscode";
import type { Disposable, LogOutputChannel } from "vscode";

import { connect, OpenThinkError } from "open-think";
import type { Approve, Client, State, Turn } from "open-think";

import { unlessAborted } from "./abort.js";
import { tell } from "./problem.js";
import { settings } from "./settings.js";

export type Standing = "idle" | "connecting" | "connected" | "reconnecting" | "failed";

export class Daemon implements Disposable {
  readonly #changed = new EventEmitter<void>();
  readonly #connected = new EventEmitter<Client>();
  readonly #turns = new Set<Turn>();
  readonly #sessions = new Set<string>();
  #opening: Opening | undefined;
  #standing: Standing = "idle";
  #fault: unknown;
  /** Counts connections, so that what an old one says is passed over. */
  #generation = 0;

  /** The standing or the turns have changed. */
  readonly onDidChange = this.#changed.event;
  /** There is a client that was not there before. */
  readonly onDidConnect = this.#connected.event;

  /** What is done with a new client before anybody else has it; it is to be short, and not to fail. */
  prepare: (client: Client) => Promise<void> = () => Promise.resolve();

  constructor(
    private readonly version: string,
    private readonly approve: Approve,
    private readonly output: LogOutputChannel,
  ) {}

  get standing(): Standing {
    return this.#standing;
  }

  /** Why it failed. */
  get fault(): unknown {
    return this.#fault;
  }

  /** Those that this window has asked for. */
  get turns(): ReadonlySet<Turn> {
    return this.#turns;
  }

  /** Those in which it has asked for turns. */
  get sessions(): ReadonlySet<string> {
    return this.#sessions;
  }

  /** Connects where that has not been done. */
  async client(signal?: AbortSignal): Promise<Client> {
    const opening = (this.#opening ??= this.#open());
    opening.waiting += 1;
    try {
      return await unlessAborted(opening.client, signal);
    } finally {
      opening.waiting -= 1;
      // Nobody wants it any more.
      const isInVain = opening === this.#opening && opening.waiting === 0 && this.#standing === "connecting";
      if (signal?.aborted && isInVain) void this.close();
    }
  }

  /** Does something with the client, and says so in the output, if that is wanted. */
  async call<Result>(
    name: string,
    work: (client: Client) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const began = performance.now();
    const trace = (outcome: string): void => {
      if (settings().trace) this.output.info(`${name}: ${outcome}, ${Math.round(performance.now() - began)} ms`);
    };
    try {
      const result = await work(await this.client(signal));
      trace("done");
      return result;
    } catch (error) {
      trace(error instanceof OpenThinkError ? error.code : "failed");
      throw error;
    }
  }

  /** Keeps count of a turn while it lasts. */
  async during<Result>(turn: Turn, work: () => Promise<Result>): Promise<Result> {
    this.#turns.add(turn);
    this.#sessions.add(turn.sessionName);
    this.#changed.fire();
    try {
      return await work();
    } finally {
      this.#turns.delete(turn);
      this.#changed.fire();
    }
  }

  /** With the settings as they are now. */
  async restart(): Promise<void> {
    await this.close();
    const generation = this.#generation + 1;
    await this.client().catch((error: unknown) => {
      // Another restart has come between, and says itself what comes of it.
      if (generation === this.#generation) throw error;
    });
  }

  /** Lets go, of a connection that is being made as well. The next use connects. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#generation += 1;
    this.#become("idle");
    opening?.stop.abort();
    const client = await opening?.connecting.catch(() => undefined);
    await client?.close();
  }

  dispose(): void {
    this.#changed.dispose();
    this.#connected.dispose();
  }

  #open(): Opening {
    const generation = (this.#generation += 1);
    const { command, args } = settings();
    const cwd = workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file")?.uri.fsPath;
    const stop = new AbortController();
    this.#become("connecting");
    const connecting = connect({
      command,
      args,
      ...(cwd === undefined ? {} : { cwd }),
      clientInfo: { name: "vscode", version: this.version },
      approve: this.approve,
      onState: (state, error) => this.#told(generation, state, error),
      signal: stop.signal,
    });
    return { connecting, client: this.#opened(generation, connecting), stop, waiting: 0 };
  }

  async #opened(generation: number, connecting: Promise<Client>): Promise<Client> {
    try {
      const client = await connecting;
      // Whoever has let go meanwhile closes it.
      if (generation !== this.#generation) throw abandoned();
      this.output.info(`connected to ${client.server.serverInfo.name} ${client.server.serverInfo.version}`);
      this.#become("connected");
      this.#connected.fire(client);
      await this.prepare(client);
      return client;
    } catch (error) {
      if (generation !== this.#generation) throw abandoned();
      this.#fail(error);
      throw error;
    }
  }

  #told(generation: number, state: State, error: unknown): void {
    if (generation !== this.#generation) return;
    if (state !== "closed") return this.#become(state);
    this.#fail(error);
    void tell(error, () => this.restart());
  }

  #fail(error: unknown): void {
    this.#opening = undefined;
    this.#become("failed", error);
  }

  #become(standing: Standing, fault?: unknown): void {
    if (standing !== "connected") this.output.info(fault === undefined ? standing : `${standing}: ${String(fault)}`);
    this.#standing = standing;
    this.#fault = fault;
    this.#changed.fire();
  }
}

interface Opening {
  connecting: Promise<Client>;
  /** It is told of, and prepared. */
  client: Promise<Client>;
  stop: AbortController;
  /** How many do. */
  waiting: number;
}

function abandoned(): OpenThinkError {
  return new OpenThinkError("the connection was ended while it was made", {
    code: "E_CLOSED",
    number: 0,
    retryable: true,
  });
}
