// What the daemon asks of this client, for as long as an answer counts.

import type { CancellationToken } from "vscode-jsonrpc/node";

/** The most milliseconds that a timer counts. */
const LONGEST = 2 ** 31 - 1;

export interface Question {
  /** Names it among those that are open. */
  id: unknown;
  deadlineMs: number;
  /** The daemon takes the question back. */
  token: CancellationToken;
}

export class Questions {
  readonly #open = new Map<unknown, AbortController>();

  /** What `answer` gives; rejects as soon as that no longer counts, and says so by the signal. */
  async ask<T>({ id, deadlineMs, token }: Question, answer: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const { signal } = over;
    this.#open.set(id, over);
    const end = (why: string): void => over.abort(new Error(why));
    const deadline = setTimeout(end, Math.min(deadlineMs, LONGEST), "the time is up").unref();
    const withdrawn = token.onCancellationRequested(() => end("the daemon no longer asks"));
    try {
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      return await Promise.race([answer(signal), aborted]);
    } finally {
      clearTimeout(deadline);
      withdrawn.dispose();
      if (this.#open.get(id) === over) this.#open.delete(id);
    }
  }

  end(id: unknown, why: string): void {
    this.#open.get(id)?.abort(new Error(why));
  }

  /** No answer reaches the daemon any more. */
  lost(): void {
    for (const id of [...this.#open.keys()]) this.end(id, "the connection is lost");
  }
}
