// Another program by the settings: taken once the turns of this window are over, or when the user does not wait.

import { window } from "vscode";

import type { Daemon } from "./daemon.js";

export class Renewal {
  #waits = false;

  constructor(private readonly daemon: Daemon) {}

  /** What is not connected takes it by itself. */
  async begin(): Promise<void> {
    if (this.#waits || this.daemon.standing === "idle") return;
    this.#waits = true;
    try {
      if (this.daemon.turns.size > 0) await Promise.race([this.#rest(), this.#leave()]);
    } finally {
      this.#waits = false;
    }
    await this.daemon.restart();
  }

  /** No turn is under way. */
  async #rest(): Promise<void> {
    const { daemon } = this;
    await new Promise<void>((resolve) => {
      const listening = daemon.onDidChange(() => {
        if (daemon.turns.size > 0) return;
        listening.dispose();
        resolve();
      });
    });
  }

  /** The user does not wait. */
  async #leave(): Promise<void> {
    const message = "Helm works for this window. The other program is taken once that is done.";
    const answer = await window.showInformationMessage(message, "End It Now");
    if (answer === undefined) await new Promise(() => undefined);
  }
}
