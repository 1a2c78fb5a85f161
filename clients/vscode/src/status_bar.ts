// Helm in the status bar. The daemon is asked when something has changed, and now and then while the window is in use.

import { commands, MarkdownString, StatusBarAlignment, ThemeColor, window, workspace } from "vscode";
import type { Disposable } from "vscode";

import type { StatusResult } from "open-think";

import type { Hands } from "./conversation.js";
import { explain } from "./problem.js";
import { SECTION, settings } from "./settings.js";
import { view } from "./standing.js";

/** Milliseconds between two questions while nothing else happens. */
const PACE = 30_000;

export class StatusBar implements Disposable {
  readonly #item = window.createStatusBarItem("openThink.status", StatusBarAlignment.Right, 100);
  readonly #listening: Disposable[];
  #status: StatusResult | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;

  constructor(private readonly hands: Hands) {
    const { daemon, desk } = hands;
    this.#item.name = "Open Think";
    this.#item.command = "openThink.menu";
    this.#listening = [
      this.#item,
      daemon.onDidChange(() => this.#changed()),
      daemon.onDidConnect((client) => client.on("daemon.reloaded", () => this.#changed())),
      desk.onDidChange(() => this.#draw()),
      window.onDidChangeWindowState(() => this.#changed()),
      workspace.onDidChangeConfiguration((change) => void (change.affectsConfiguration(SECTION) && this.#draw())),
    ];
    this.#draw();
    this.#item.show();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const one of this.#listening) one.dispose();
  }

  #changed(): void {
    const { daemon } = this.hands;
    if (daemon.standing !== "connected") this.#status = undefined;
    void commands.executeCommand("setContext", "openThink.working", daemon.turns.size > 0);
    this.#draw();
    void this.#ask();
  }

  #draw(): void {
    const { daemon, desk } = this.hands;
    const { standing, fault, turns } = daemon;
    const { text, tooltip, alarm } = view({
      standing,
      fault: fault === undefined ? undefined : explain(fault),
      turns: turns.size,
      questions: desk.questions.length,
      status: this.#status,
      settings: settings(),
    });
    this.#item.text = text;
    this.#item.tooltip = new MarkdownString(tooltip);
    this.#item.backgroundColor = alarm && new ThemeColor(`statusBarItem.${alarm}Background`);
  }

  /** Only a daemon that is connected, for a window that somebody looks at. */
  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#asking || !this.#isWanted) return;
    this.#asking = true;
    try {
      this.#status = await (await this.hands.daemon.client()).status();
    } catch {
      this.#status = undefined;
    }
    this.#asking = false;
    this.#draw();
    clearTimeout(this.#timer);
    if (this.#isWanted) this.#timer = setTimeout(() => void this.#ask(), PACE);
  }

  get #isWanted(): boolean {
    const { focused, active } = window.state;
    return this.hands.daemon.standing === "connected" && focused && active !== false;
  }
}
