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

/** Milliseconds that the first turn waits for the skills. */
const PATIENCE = 2000;

export class Offering implements Disposable {
  #client: Client | undefined;
  #registered: SkillRegistration[] = [];
  /** One thing at a time. */
  #work: Promise<void> = Promise.resolve();
  #over = false;

  constructor(
    private readonly daemon: Daemon,
    private readonly output: LogOutputChannel,
  ) {
    daemon.prepare = async (client) => {
      this.#client = client;
      this.#registered = [];
      this.refresh();
      await Promise.race([this.#work, pause(PATIENCE, undefined, { ref: false })]);
    };
  }

  /** By the settings as they are now. */
  refresh(): void {
    const work = (): Promise<void> => (settings().editorSkills ? this.#offer() : this.#withdraw());
    this.#work = this.#work.then(work).catch((error: unknown) => this.output.warn(`editor skills: ${String(error)}`));
  }

  dispose(): void {
    this.#over = true;
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
    const results = await Promise.allSettled(
      EDITOR_SKILLS.map(({ offer, run }) =>
        client.registerSkill(offer, async (input: Record<string, unknown>, context: SkillContext) => {
          this.#check(context);
          return run(input, context);
        }),
      ),
    );
    const registered = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const fault = results.find((result) => result.status === "rejected")?.reason as unknown;
    if (fault === undefined) {
      this.#registered = registered;
      return undefined;
    }
    await Promise.all(registered.map((one) => one.dispose()));
    if (fault instanceof OpenThinkError) return fault;
    throw fault;
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
