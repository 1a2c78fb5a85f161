// The connection to the daemon: made when it is first needed, dropped when the settings say otherwise.

import { EventEmitter, workspace } from "vscode";
import type { Disposable, LogOutputChannel } from "vscode";

import { connect, OpenThinkError } from "open-think";
import type { Approve, Client, State, Turn } from "open-think";

import { tell } from "./problem.js";
import { settings } from "./settings.js";

export type Standing = "idle" | "connecting" | "connected" | "reconnecting" | "failed";

export class Daemon implements Disposable {
  readonly #changed = new EventEmitter<void>();
  readonly #connected = new EventEmitter<Client>();
  readonly #turns = new Set<Turn>();
  readonly #sessions = new Set<string>();
  #opening: Promise<Client> | undefined;
  #standing: Standing = "idle";
  #fault: unknown;
  /** Counts connections, so that what an old one says is passed over. */
  #generation = 0;

  /** The standing or the turns have changed. */
  readonly onDidChange = this.#changed.event;
  /** There is a client that was not there before. */
  readonly onDidConnect = this.#connected.event;

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
  client(): Promise<Client> {
    return (this.#opening ??= this.#open());
  }

  /** Does something with the client, and says so in the output, if that is wanted. */
  async call<Result>(name: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    const began = performance.now();
    const trace = (outcome: string): void => {
      if (settings().trace) this.output.info(`${name}: ${outcome}, ${Math.round(performance.now() - began)} ms`);
    };
    try {
      const result = await work(await this.client());
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
    await this.client();
  }

  /** Lets go. The next use connects. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#generation += 1;
    this.#become("idle");
    const client = await opening?.catch(() => undefined);
    await client?.close();
  }

  dispose(): void {
    this.#changed.dispose();
    this.#connected.dispose();
  }

  async #open(): Promise<Client> {
    const generation = (this.#generation += 1);
    const { command, args } = settings();
    const cwd = workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file")?.uri.fsPath;
    this.#become("connecting");
    try {
      const client = await connect({
        command,
        args,
        ...(cwd === undefined ? {} : { cwd }),
        clientInfo: { name: "vscode", version: this.version },
        approve: this.approve,
        onState: (state, error) => this.#told(generation, state, error),
      });
      // Whoever has let go meanwhile closes it.
      if (generation !== this.#generation) return client;
      this.output.info(`connected to ${client.server.serverInfo.name} ${client.server.serverInfo.version}`);
      this.#become("connected");
      this.#connected.fire(client);
      return client;
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
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
