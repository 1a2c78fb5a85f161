// One turn of Helm's: its events as they come, and what comes of it.

import { asyncDispose } from "./dispose.js";
import { BACKLOG, eventQueue, isResync, resync } from "./events.js";
import type { Event, EventParams, TurnResult } from "./protocol.js";
import type { Queue } from "./queue.js";

/** @internal */
export interface Means {
  ask(turn: Turn): Promise<TurnResult>;
  interrupt(): Promise<boolean>;
  cancel(): void;
}

/** Iterating gives the events, once. `result` settles whether or not anybody iterates. */
export class Turn implements AsyncIterable<Event> {
  readonly sessionName: string;
  /** Its id, once the daemon has accepted it; where it does not, this rejects as `result` does. */
  readonly accepted: Promise<string>;
  /** The final reply, which holds the whole answer. */
  readonly result: Promise<TurnResult>;
  readonly #events: Queue<EventParams>;
  readonly #means: Means;
  readonly #begun: Promise<void>;
  #begin!: () => void;
  #accept!: (turnId: string) => void;
  #refuse!: (error: unknown) => void;
  #turnId: string | undefined;
  #seq = 0;
  /** Up to which number events of the session are missing. */
  #missing: number | undefined;
  #over = false;

  /** @internal */
  constructor(sessionName: string, means: Means) {
    this.sessionName = sessionName;
    this.#events = eventQueue(BACKLOG);
    this.#means = means;
    this.#begun = new Promise((resolve) => (this.#begin = resolve));
    this.accepted = new Promise((resolve, reject) => ([this.#accept, this.#refuse] = [resolve, reject]));
    // Whoever does not ask for it has `result`.
    this.accepted.catch(() => undefined);
    this.result = means.ask(this);
    this.result.then(
      () => this.#end(),
      (error: unknown) => this.#end(error),
    );
  }

  /** Known once the daemon has accepted it, which is before its first event. */
  get turnId(): string | undefined {
    return this.#turnId;
  }

  /** Stops this turn: `result` is then what there is, with the stop reason `cancelled`. False if it was over. */
  async interrupt(): Promise<boolean> {
    // Until it begins, the turn that runs in the session is another.
    await this.#begun;
    return this.#over ? false : this.#means.interrupt();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    for await (const { event } of this.#events) yield event;
  }

  /** Cancels the turn, unless it is over. */
  async [asyncDispose](): Promise<void> {
    if (!this.#over) this.#means.cancel();
    await this.result.catch(() => undefined);
  }

  /** @internal */
  accept(turnId: string): void {
    this.#turnId = turnId;
    this.#accept(turnId);
  }

  /** Takes the event if it is new and this turn's, or says that some are missing. @internal */
  push(event: EventParams): void {
    const { turnId, seq, firstSeq } = event;
    if (this.#turnId === undefined || seq <= this.#seq) return;
    if (isResync(event)) return this.#miss(seq);
    if (turnId !== this.#turnId) return;
    // Text that was put together from what is known and what is not cannot be taken apart.
    const first = firstSeq ?? seq;
    if (first <= this.#seq) return this.#miss(seq);
    const follows = this.#seq === 0 && this.#missing === first - 1;
    if (follows && !isFirst(event)) this.#events.push(resync(this.sessionName, first - 1));
    this.#seq = seq;
    this.#events.push(event);
    this.#begin();
  }

  /** Whose events are missing is not known before the first one of this turn's. */
  #miss(seq: number): void {
    this.#missing = seq;
    if (this.#seq === 0) return;
    this.#seq = seq;
    this.#events.push(resync(this.sessionName, seq));
  }

  #end(error?: unknown): void {
    this.#over = true;
    this.#refuse(error);
    this.#begin();
    this.#events.end(error);
  }
}

const isFirst = ({ event }: EventParams): boolean => event.kind === "turn-start" && event.iteration === 1;
