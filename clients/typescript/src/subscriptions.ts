// All that this client watches.

import type { Ask } from "./link.js";
import type { EventParams, SubscribeResult } from "./protocol.js";
import { Subscription } from "./subscription.js";
import type { SubscribeOptions } from "./subscription.js";

export class Subscriptions {
  readonly #ask: Ask;
  readonly #bySession = new Map<string, Set<Subscription>>();
  /** One question at a time, so that the last one holds. */
  #asked: Promise<void> = Promise.resolve();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async subscribe(sessionName: string, options: SubscribeOptions): Promise<Subscription> {
    const subscription = new Subscription(sessionName, options, (left) => this.#left(left));
    const group = this.#bySession.get(sessionName) ?? new Set();
    this.#bySession.set(sessionName, group.add(subscription));
    try {
      await this.#begin(sessionName);
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  push(event: EventParams): void {
    for (const subscription of this.#bySession.get(event.sessionName) ?? []) subscription.push(event);
  }

  /** On a new connection. */
  again(): void {
    for (const [sessionName, group] of this.#bySession) {
      this.#begin(sessionName).catch((error: unknown) => {
        // Where this connection is lost as well, the next one begins them.
        const { code } = error as { code?: string };
        if (code !== "E_CONNECTION_LOST") for (const subscription of group) subscription.end(error);
      });
    }
  }

  end(error?: unknown): void {
    for (const group of this.#bySession.values()) for (const subscription of group) subscription.end(error);
    this.#bySession.clear();
  }

  /** A daemon sends each event once, however many read here: from where the one that is furthest behind is. */
  #begin(sessionName: string): Promise<void> {
    return this.#inTurn(async () => {
      const group = this.#bySession.get(sessionName);
      if (group === undefined) return;
      const known = [...group].map(({ seq }) => seq).filter((seq) => seq !== undefined);
      const afterSeq = known.length === 0 ? {} : { afterSeq: Math.min(...known) };
      const asked = [...group];
      const answer = (await this.#ask("conductor.subscribe", { sessionName, ...afterSeq })) as SubscribeResult;
      for (const subscription of asked) subscription.begin(answer.seq);
    });
  }

  async #left(subscription: Subscription): Promise<void> {
    const { sessionName } = subscription;
    const group = this.#bySession.get(sessionName);
    if (!group?.delete(subscription) || group.size > 0) return;
    this.#bySession.delete(sessionName);
    const unsubscribe = async (): Promise<void> => {
      if (!this.#bySession.has(sessionName)) await this.#ask("conductor.unsubscribe", { sessionName });
    };
    // Where there is no connection there is nothing to end.
    await this.#inTurn(unsubscribe).catch(() => undefined);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#asked.then(work);
    this.#asked = done.catch(() => undefined);
    return done;
  }
}
