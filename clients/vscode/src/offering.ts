// Which window offers Helm the skills of the editor: the one that was used last.
//
// A daemon takes each skill from one client. So a window that gets the focus writes its name into a file that all windows
// of this editor share; the one that had the skills sees that and lets go of them. Where somebody else has them, such as
// another editor, they stay there, and are asked for again with the next focus.

import { randomUUID } from "node:crypto";
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { window } from "vscode";
import type { Disposable, LogOutputChannel } from "vscode";

import { OpenThinkError } from "open-think";
import type { Client, SkillRegistration } from "open-think";

import type { Daemon } from "./daemon.js";
import { EDITOR_SKILLS } from "./editor_skills.js";
import { settings } from "./settings.js";

/** Milliseconds, and how often: how long the window before may take to let go. */
const PAUSE = 50;
const TRIES = 40;

export class Offering implements Disposable {
  readonly #name = randomUUID();
  readonly #file: string;
  readonly #listening: Disposable[];
  readonly #directory: string;
  #watcher: FSWatcher | undefined;
  #client: Client | undefined;
  #registered: SkillRegistration[] = [];
  /** One thing at a time. */
  #work: Promise<void> = Promise.resolve();
  #over = false;

  constructor(
    daemon: Daemon,
    private readonly output: LogOutputChannel,
    directory: string,
  ) {
    this.#directory = directory;
    this.#file = join(directory, "window");
    this.#listening = [
      daemon.onDidConnect((client) => {
        this.#client = client;
        this.#registered = [];
        this.refresh();
      }),
      window.onDidChangeWindowState(({ focused }) => {
        if (focused && this.#registered.length === 0) this.refresh();
      }),
    ];
  }

  /** By the settings and the focus as they are now. */
  refresh(): void {
    this.#next(() => (settings().editorSkills ? this.#offer() : this.#withdraw()));
  }

  dispose(): void {
    this.#over = true;
    this.#watcher?.close();
    for (const one of this.#listening) one.dispose();
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => this.output.warn(`editor skills: ${String(error)}`));
  }

  async #offer(): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#registered.length > 0) return;
    await mkdir(this.#directory, { recursive: true });
    this.#watcher ??= watch(this.#directory, () => this.#next(() => this.#yield())).on("error", () => undefined);
    // A window in the background takes what is free.
    const isClaimed = window.state.focused;
    if (isClaimed) await writeFile(this.#file, this.#name);
    for (let tries = isClaimed ? TRIES : 1; tries > 0 && !this.#over && client === this.#client; tries -= 1) {
      const refusal = await this.#register(client);
      if (refusal === undefined) return this.output.info("Helm has the skills of this window");
      if (refusal.code !== "E_BAD_REQUEST") throw refusal;
      if (tries === 1) return this.output.info(`Helm has no skills of this window: ${refusal.message}`);
      if ((await this.#owner()) !== this.#name) return;
      await pause(PAUSE);
    }
  }

  /** All of them or none. */
  async #register(client: Client): Promise<OpenThinkError | undefined> {
    const registered: SkillRegistration[] = [];
    try {
      for (const { offer, run } of EDITOR_SKILLS) {
        registered.push(await client.registerSkill<Record<string, unknown>>(offer, (input, context) => run(input ?? {}, context)));
      }
      this.#registered = registered;
      return undefined;
    } catch (error) {
      await Promise.all(registered.map((one) => one.dispose()));
      if (error instanceof OpenThinkError) return error;
      throw error;
    }
  }

  /** To the window that has claimed them. */
  async #yield(): Promise<void> {
    const owner = await this.#owner();
    if (owner !== undefined && owner !== "" && owner !== this.#name) await this.#withdraw();
  }

  async #withdraw(): Promise<void> {
    const registered = this.#registered;
    this.#registered = [];
    await Promise.all(registered.map((one) => one.dispose()));
  }

  async #owner(): Promise<string | undefined> {
    return readFile(this.#file, "utf8").catch(() => undefined);
  }
}
