// One reader of a session's events.

import { asyncDispose } from "./dispose.js";
import { BACKLOG, eventQueue, isResync, resync } from "./events.js";
import type { EventParams } from "./protocol.js";
import type { Queue } from "./queue.js";

export interface SubscribeOptions {
  /** Replay what came after this sequence number, as far as it is buffered. Default: live only. */
  afterSeq?: number;
  /** Events that are kept while nobody reads; beyond that the event `resync` takes their place. Default 1024. */
  backlog?: number;
}

/**
 * The events of a session, of whoever's turns. Goes on when the connection is made anew. The event `resync` says that
 * those up to its `seq` are missing: read the session anew.
 */
export class Subscription implements AsyncIterable<EventParams> {
  readonly sessionName: string;
  readonly #events: Queue<EventParams>;
  readonly #leave: () => Promise<void>;
  #seq: number | undefined;
  /** The last event before the daemon began to send what comes; unknown until then. */
  #last: number | undefined;

  /** @internal */
  constructor(sessionName: string, options: SubscribeOptions, leave: (subscription: Subscription) => Promise<void>) {
    this.sessionName = sessionName;
    this.#seq = options.afterSeq;
    this.#events = eventQueue(options.backlog ?? BACKLOG);
    this.#leave = () => leave(this);
  }

  /** The sequence number up to which everything came, or was told to be missing. */
  get seq(): number | undefined {
    return this.#seq;
  }

  /** Leaving the loop ends the subscription. */
  async *[Symbol.asyncIterator](): AsyncIterator<EventParams, undefined> {
    try {
      yield* this.#events;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#events.end();
    await this.#leave();
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The daemon sends from now on; `last` is the session's last event so far. @internal */
  begin(last: number): void {
    this.#last = last;
    this.#seq ??= last;
    // Another daemon counts anew.
    if (this.#seq > last) this.#missing(last);
  }

  /** @internal */
  push(event: EventParams): void {
    if (this.#last === undefined || this.#seq === undefined || event.seq <= this.#seq) return;
    const first = event.firstSeq ?? event.seq;
    // A turn's event that was on its way already; it comes again when all before it has been replayed.
    if (event.seq <= this.#last && first > this.#seq + 1 && !isResync(event)) return;
    // Text that was put together from what is known and what is not cannot be taken apart.
    if (first <= this.#seq) return this.#missing(event.seq);
    this.#seq = event.seq;
    this.#events.push(event);
  }

  /** @internal */
  end(error: unknown): void {
    this.#events.end(error);
  }

  #missing(seq: number): void {
    this.#seq = seq;
    this.#events.push(resync(this.sessionName, seq));
  }
}
