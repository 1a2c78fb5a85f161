// Which events belong to which turn of this client's.

import type { EventParams } from "./protocol.js";
import type { Turn } from "./turn.js";

/**
 * On a connection that watches no session all events are of turns that were asked for on it. The daemon runs those of one
 * session in the order in which they were asked for, so an event with a new `turnId` begins the oldest that has none.
 */
export class Turns {
  readonly #bySession = new Map<string, Set<Turn>>();

  add(turn: Turn): void {
    const turns = this.#bySession.get(turn.sessionName) ?? new Set();
    this.#bySession.set(turn.sessionName, turns.add(turn));
  }

  delete(turn: Turn): void {
    const turns = this.#bySession.get(turn.sessionName);
    turns?.delete(turn);
    if (turns?.size === 0) this.#bySession.delete(turn.sessionName);
  }

  push(event: EventParams): void {
    const turns = [...(this.#bySession.get(event.sessionName) ?? [])];
    if (event.event.kind === "resync") {
      for (const turn of turns) turn.push(event);
      return;
    }
    // One that was taken into a running turn has its events too: they are told once for each.
    const known = turns.find((turn) => turn.turnId === event.turnId && turn.takes(event));
    const fresh = turns.find((turn) => turn.turnId === undefined && turn.takes(event));
    (known ?? fresh)?.push(event);
  }
}
