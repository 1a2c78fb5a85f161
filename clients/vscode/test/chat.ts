// The chat view, from the side of who types into it.

import { EventEmitter } from "./values.js";
import type { Window } from "./window.js";

export class Chat {
  readonly history: any[] = [];

  constructor(readonly window: Window) {}

  /** Says something to @helm. */
  say(prompt: string, more: { command?: string; references?: unknown[] } = {}): Reply {
    const reply = new Reply(this.window);
    const request = { prompt, references: [], ...more };
    const { handler, id } = this.window.participant;
    reply.result = Promise.resolve(handler(request, { history: [...this.history] }, reply.stream, reply.token)).then((result) => {
      this.history.push({ participant: id, prompt }, { participant: id, result });
      return result;
    });
    return reply;
  }

  followups(result: unknown): any[] {
    return this.window.participant.followupProvider.provideFollowups(result);
  }
}

export class Reply {
  text = "";
  readonly progress: string[] = [];
  readonly buttons: { title: string; command: string; arguments: string[] }[] = [];
  result!: Promise<any>;
  readonly #cancelled = new EventEmitter<void>();
  readonly token = { isCancellationRequested: false, onCancellationRequested: this.#cancelled.event };

  readonly stream = {
    markdown: (text: string) => this.#add(() => (this.text += text)),
    progress: (text: string) => this.#add(() => this.progress.push(text)),
    button: (button: any) => this.#add(() => this.buttons.push(button)),
  };

  constructor(private readonly window: Window) {}

  async press(title: string): Promise<void> {
    await this.window.until(() => this.buttons.some((button) => button.title === title), `the button ${title}`);
    const button = this.buttons.find((one) => one.title === title);
    await this.window.commands.get(button?.command ?? "")?.(...(button?.arguments ?? []));
  }

  cancel(): void {
    this.token.isCancellationRequested = true;
    this.#cancelled.fire();
  }

  #add(add: () => unknown): void {
    add();
    this.window.happened.fire();
  }
}
