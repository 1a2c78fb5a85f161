import assert from "node:assert/strict";

/** All that comes up to the first that fits, or to the end. */
export async function until<Item>(items: AsyncIterable<Item>, fits: (item: Item) => boolean): Promise<Item[]> {
  const seen: Item[] = [];
  for await (const item of items) {
    seen.push(item);
    if (fits(item)) break;
  }
  return seen;
}

export const all = <Item>(items: AsyncIterable<Item>): Promise<Item[]> => until(items, () => false);

/** A promise, and what settles it. */
export function promised<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Returns once it holds. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `never: ${holds}`);
    await new Promise(setImmediate);
  }
}
