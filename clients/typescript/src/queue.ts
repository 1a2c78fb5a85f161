// What has come and was not read yet: bounded; whoever reads takes it.

/** Keeps up to `limit` items. What is too much is dropped, all of it, and one item stands in its place. */
export class Queue<Item> implements AsyncIterableIterator<Item> {
  readonly #limit: number;
  readonly #standIn: (last: Item) => Item;
  #items: Item[] = [];
  #end: { error?: unknown } | undefined;
  #waiting: (() => void)[] = [];

  /** `standIn` is given the last of those that are dropped. */
  constructor(limit: number, standIn: (last: Item) => Item) {
    this.#limit = Math.max(2, limit);
    this.#standIn = standIn;
  }

  push(item: Item): void {
    if (this.#end !== undefined) return;
    this.#items.push(item);
    if (this.#items.length > this.#limit) this.#items = [this.#standIn(item)];
    this.#wake();
  }

  /** What is there can still be read; after it comes the error, if there is one. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error === undefined ? {} : { error };
    this.#wake();
  }

  async next(): Promise<IteratorResult<Item, undefined>> {
    while (this.#items.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return { done: false, value: item };
    const error = this.#end?.error;
    this.#end = {};
    if (error !== undefined) throw error;
    return { done: true, value: undefined };
  }

  /** Nobody reads on. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#items = [];
    this.#end = {};
    this.#wake();
    return { done: true, value: undefined };
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
