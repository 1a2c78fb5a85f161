// Which window offers Helm the skills of the editor: the one that was used last.
//
// A daemon takes each skill from one client. So a window that gets the focus writes its name into a file that all windows
// of this editor share. The one that has the skills sees that, lets go of them once its own turns are over, and says so in
// a second file. Where somebody else has them, such as another editor, they stay there until the next focus.

import { randomUUID } from "node:crypto";
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { window } from "vscode";
import type { Disposable, LogOutputChannel } from "vscode";

import { OpenThinkError } from "open-think";
import type { Client, SkillContext, SkillRegistration } from "open-think";

import { isSessionOfEditor } from "./conversation.js";
import type { Daemon } from "./daemon.js";
import { EDITOR_SKILLS } from "./editor_skills.js";
import { settings } from "./settings.js";

export class Offering implements Disposable {
  readonly #name = randomUUID();
  readonly #directory: string;
  readonly #listening: Disposable[];
  #watcher: FSWatcher | undefined;
  #client: Client | undefined;
  #registered: SkillRegistration[] = [];
  /** One thing at a time. */
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly daemon: Daemon,
    private readonly output: LogOutputChannel,
    directory: string,
  ) {
    this.#directory = directory;
    this.#listening = [
      daemon.onDidConnect((client) => {
        this.#client = client;
        this.#registered = [];
        this.refresh();
      }),
      daemon.onDidChange(() => void (this.#registered.length > 0 && this.#next(() => this.#look()))),
      window.onDidChangeWindowState(({ focused }) => void (focused && this.refresh())),
    ];
  }

  /** By the settings and the focus as they are now. */
  refresh(): void {
    this.#next(() => (settings().editorSkills ? this.#begin() : this.#withdraw()));
  }

  dispose(): void {
    this.#watcher?.close();
    for (const one of this.#listening) one.dispose();
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => this.output.warn(`editor skills: ${String(error)}`));
  }

  /** A window in the background takes what is free; one in front claims it. */
  async #begin(): Promise<void> {
    if (this.#client === undefined) return;
    await mkdir(this.#directory, { recursive: true });
    this.#watcher ??= watch(this.#directory, () => this.#next(() => this.#look())).on("error", () => undefined);
    if (window.state.focused && (await this.#owner()) !== this.#name) await writeFile(this.#file("window"), this.#name);
    await this.#offer();
  }

  /** What the other windows have said. */
  async #look(): Promise<void> {
    const owner = await this.#owner();
    if (owner === this.#name) return settings().editorSkills ? this.#offer() : undefined;
    if (!owner || this.#registered.length === 0 || this.daemon.turns.size > 0) return;
    await this.#withdraw();
    await writeFile(this.#file("released"), this.#name);
  }

  /** All of them or none. */
  async #offer(): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#registered.length > 0) return;
    const registered: SkillRegistration[] = [];
    try {
      for (const { offer, run } of EDITOR_SKILLS) {
        const handler = async (input: Record<string, unknown>, context: SkillContext): Promise<unknown> => {
          this.#check(context);
          return run(input, context);
        };
        registered.push(await client.registerSkill(offer, handler));
      }
      this.#registered = registered;
      this.output.info("Helm has the skills of this window");
    } catch (error) {
      await Promise.all(registered.map((one) => one.dispose()));
      if (!(error instanceof OpenThinkError)) throw error;
      this.output.info(`Helm does not have the skills of this window: ${error.message}`);
    }
  }

  /** Paths and the selection mean this window's, which the turns of others do not. */
  #check({ sessionName }: SkillContext): void {
    if (sessionName === undefined || !isSessionOfEditor(sessionName) || this.daemon.sessions.has(sessionName)) return;
    throw new Error("Helm has the skills of another window of the editor at the moment; ask again from the window that is meant");
  }

  async #withdraw(): Promise<void> {
    const registered = this.#registered;
    this.#registered = [];
    await Promise.all(registered.map((one) => one.dispose()));
  }

  async #owner(): Promise<string | undefined> {
    return readFile(this.#file("window"), "utf8").catch(() => undefined);
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}
