// Who wants to hear of which notifications.

import { tell } from "./warn.js";

type Listener = (params: unknown) => unknown;

export class Listeners {
  readonly #byMethod = new Map<string, Set<Listener>>();

  /** Until the function that is returned is called. */
  add(method: string, listener: Listener): () => void {
    const listeners = this.#byMethod.get(method) ?? new Set();
    // The same function may be added twice.
    const own: Listener = (params) => listener(params);
    this.#byMethod.set(method, listeners.add(own));
    return () => void listeners.delete(own);
  }

  tell(method: string, params: unknown): void {
    for (const listener of this.#byMethod.get(method) ?? []) void tell(method, () => listener(params));
  }
}
