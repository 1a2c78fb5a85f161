// One turn of Helm's: its events as they come, and what comes of it.

import { asyncDispose } from "./dispose.js";
import { BACKLOG, eventQueue } from "./events.js";
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
  /** The final reply, which holds the whole answer. */
  readonly result: Promise<TurnResult>;
  readonly #events: Queue<EventParams>;
  readonly #means: Means;
  readonly #begun: Promise<void>;
  #begin: () => void = () => undefined;
  #turnId: string | undefined;
  #seq = 0;
  #over = false;

  /** @internal */
  constructor(sessionName: string, means: Means) {
    this.sessionName = sessionName;
    this.#events = eventQueue(BACKLOG);
    this.#means = means;
    this.#begun = new Promise((resolve) => (this.#begin = resolve));
    this.result = means.ask(this);
    this.result.then(
      ({ turnId }) => this.#end(turnId),
      (error: unknown) => this.#end(undefined, error),
    );
  }

  /** Known from its first event on. */
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

  /** Whether the event is this turn's and new to it. @internal */
  takes(event: EventParams): boolean {
    if (this.#turnId !== undefined && this.#turnId !== event.turnId) return false;
    return event.seq > this.#seq;
  }

  /** @internal */
  push(event: EventParams): void {
    this.#seq = event.seq;
    if (event.turnId !== "") {
      this.#turnId = event.turnId;
      this.#begin();
    }
    this.#events.push(event);
  }

  #end(turnId: string | undefined, error?: unknown): void {
    this.#over = true;
    this.#turnId ??= turnId;
    this.#begin();
    this.#events.end(error);
  }
}
