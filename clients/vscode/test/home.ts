// A home of its own for a test, with windows of an editor that has the built extension, and a daemon that ends with it.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import { connect } from "open-think";
import type { Client, ConnectOptions } from "open-think";

import { Window } from "./window.js";

export const PROGRAM = process.env["OPEN_THINK_BIN"] ?? "open-think";

const BUNDLE = resolve("build/extension.cjs");
const required = createRequire(BUNDLE);
const run = promisify(execFile);

interface Extension {
  activate(context: object): void;
  deactivate(): Promise<void>;
}

export class Home {
  readonly #directory: string;
  readonly #ends: (() => Promise<unknown>)[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(test: TestContext, settings = ""): Promise<Home> {
    const home = new Home(await mkdtemp(join(tmpdir(), "open-think-")));
    test.after(() => home.#end());
    await mkdir(home.path(".config/open-think"), { recursive: true });
    await mkdir(home.path("project"));
    await writeFile(home.path(".config/open-think/config.toml"), home.#config(settings));
    return home;
  }

  get env(): Record<string, string> {
    return { HOME: this.#directory, PATH: process.env["PATH"] ?? "" };
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** Of the folder that is open in the windows. */
  async file(name: string, text: string): Promise<string> {
    const path = this.path(`project/${name}`);
    await writeFile(path, text);
    return path;
  }

  /** One in which the extension is not yet at work. */
  window(): Window {
    const window = new Window();
    window.folder(this.path("project"));
    const env = Object.entries(this.env).map(([name, value]) => `${name}=${value}`);
    window.settings.set("command", "env");
    window.settings.set("args", ["-i", ...env, PROGRAM, "--stdio"]);
    return window;
  }

  /** Starts the extension; the function that is returned ends it. */
  activate(window: Window): () => Promise<void> {
    const extension = load(window);
    const subscriptions: { dispose(): void }[] = [];
    extension.activate({
      subscriptions,
      extension: { packageJSON: { version: "0.1.0" } },
    });
    const end = async (): Promise<void> => {
      await extension.deactivate();
      for (const { dispose } of subscriptions.splice(0).map((one) => ({ dispose: () => one.dispose() }))) dispose();
    };
    this.#ends.push(end);
    return end;
  }

  /** A window in which the extension is at work. */
  start(): Window {
    const window = this.window();
    this.activate(window);
    return window;
  }

  /** Somebody else who talks to the daemon. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const client = await connect({ command: PROGRAM, env: this.env, ...options });
    this.#ends.push(() => client.close());
    return client;
  }

  /** What `write-note` was given so far. */
  async notes(): Promise<string> {
    return (await readFile(this.path("notes"), "utf8").catch(() => "")).trim();
  }

  /** All that it says. */
  async program(...args: string[]): Promise<string> {
    const { stdout, stderr } = await run(PROGRAM, args, { env: this.env });
    return stdout + stderr;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
    await this.program("stop", "--now").catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #config(settings: string): string {
    return `
${settings}

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

/** The extension as it is shipped, anew for each window. */
export function load(window: Window): Extension {
  const module = { exports: {} as Extension };
  const evaluate = new Function("module", "exports", "require", readFileSync(BUNDLE, "utf8"));
  evaluate(module, module.exports, (name: string) => (name === "vscode" ? window.module : required(name)));
  return module.exports;
}
