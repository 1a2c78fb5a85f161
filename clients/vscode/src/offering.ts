// Offers Helm the skills of the editor while the window is connected. Where several windows do, the daemon gives each
// one's turns its own, and those of others the skills of the window that came first.

import { setTimeout as pause } from "node:timers/promises";

import type { Disposable, LogOutputChannel } from "vscode";

import { OpenThinkError } from "open-think";
import type { Client, SkillContext, SkillRegistration } from "open-think";

import { isSessionOfEditor } from "./conversation.js";
import type { Daemon } from "./daemon.js";
import { EDITOR_SKILLS } from "./editor_skills.js";
import { settings } from "./settings.js";

/** Milliseconds, and how often, where the daemon goes while it is told. */
const PAUSE = 500;
const TRIES = 5;

export class Offering implements Disposable {
  readonly #listening: Disposable;
  #client: Client | undefined;
  #registered: SkillRegistration[] = [];
  /** One thing at a time. */
  #work: Promise<void> = Promise.resolve();
  #over = false;

  constructor(
    private readonly daemon: Daemon,
    private readonly output: LogOutputChannel,
  ) {
    this.#listening = daemon.onDidConnect((client) => {
      this.#client = client;
      this.#registered = [];
      this.refresh();
    });
  }

  /** By the settings as they are now. */
  refresh(): void {
    const work = (): Promise<void> => (settings().editorSkills ? this.#offer() : this.#withdraw());
    this.#work = this.#work.then(work).catch((error: unknown) => this.output.warn(`editor skills: ${String(error)}`));
  }

  dispose(): void {
    this.#over = true;
    this.#listening.dispose();
  }

  async #offer(): Promise<void> {
    const client = this.#client;
    if (this.#registered.length > 0) return;
    for (let left = TRIES; left > 0 && client !== undefined && client === this.#client && !this.#over; left -= 1) {
      const fault = await this.#register(client);
      if (fault === undefined) return this.output.info("Helm has the skills of this window");
      this.output.info(`Helm does not have the skills of this window: ${fault.message}`);
      // The daemon has gone meanwhile. Where it does not come back there will be another client.
      if (!fault.retryable) return;
      await pause(PAUSE, undefined, { ref: false });
    }
  }

  /** All of them or none. */
  async #register(client: Client): Promise<OpenThinkError | undefined> {
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
      return undefined;
    } catch (error) {
      await Promise.all(registered.map((one) => one.dispose()));
      if (error instanceof OpenThinkError) return error;
      throw error;
    }
  }

  /** Paths and the selection mean this window's, which the turns of one that offers nothing do not. */
  #check({ sessionName }: SkillContext): void {
    if (sessionName === undefined || !isSessionOfEditor(sessionName) || this.daemon.sessions.has(sessionName)) return;
    throw new Error("the window of the editor that this turn belongs to offers no skills");
  }

  async #withdraw(): Promise<void> {
    const registered = this.#registered;
    this.#registered = [];
    await Promise.all(registered.map((one) => one.dispose()));
  }
}
