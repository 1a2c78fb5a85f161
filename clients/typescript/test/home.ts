// A home of its own for a test, with a daemon that ends with it.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import type { Client, ConnectOptions } from "open-think";
import { connect } from "open-think";

export const PROGRAM = process.env["OPEN_THINK_BIN"] ?? "open-think";

const run = promisify(execFile);

export class Home {
  readonly #directory: string;
  readonly #clients: Client[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(test: TestContext): Promise<Home> {
    const home = new Home(await mkdtemp(join(tmpdir(), "open-think-")));
    test.after(() => home.#end());
    await mkdir(home.path(".config/open-think"), { recursive: true });
    await writeFile(home.path(".config/open-think/config.toml"), home.#config());
    return home;
  }

  get env(): Record<string, string> {
    return { HOME: this.#directory, PATH: process.env["PATH"] ?? "" };
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  async connect(options: ConnectOptions = {}): Promise<Client> {
    const client = await connect({ command: PROGRAM, env: this.env, ...options });
    this.#clients.push(client);
    return client;
  }

  /** What `write-note` was given so far. */
  async notes(): Promise<string> {
    return (await readFile(this.path("notes"), "utf8").catch(() => "")).trim();
  }

  async program(...args: string[]): Promise<string> {
    return (await run(PROGRAM, args, { env: this.env })).stdout;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.program("stop", "--now").catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #config(): string {
    return `
[http]
discover = false

[[skill]]
id = "read-note"
description = "Gives its input back."
input_schema = { properties = { name = { type = "string" } }, required = ["name"] }
dangerous = false
command = ["cat"]

[[skill]]
id = "write-note"
description = "Keeps its input in a file."
input_schema = { properties = { text = { type = "string" } }, required = ["text"] }
command = ["tee", "-a", ${JSON.stringify(this.path("notes"))}]

[[skill]]
id = "take-a-nap"
description = "Takes a minute."
dangerous = false
command = ["sleep", "60"]
timeout_ms = 90000
`;
  }
}
