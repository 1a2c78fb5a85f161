// Which events belong to which turn of this client's.

import { BACKLOG, resync } from "./events.js";
import type { EventParams, ProgressParams } from "./protocol.js";
import type { Turn } from "./turn.js";

/**
 * The daemon tells a turn's id under the token of the request that asked for it. An event may come before, as a
 * subscription sends it; until the id is told, the events of the turn's session wait.
 */
export class Turns {
  readonly #byToken = new Map<string, Turn>();
  readonly #early = new Map<string, EventParams[]>();
  #last = 0;

  /** The token for the request. */
  add(turn: Turn): string {
    const token = `open-think:turn:${(this.#last += 1)}`;
    this.#byToken.set(token, turn);
    return token;
  }

  /** Its result is there. */
  delete(token: string): void {
    const turn = this.#byToken.get(token);
    this.#byToken.delete(token);
    if (turn !== undefined) this.#settle(turn.sessionName);
  }

  progress({ token, value }: ProgressParams): void {
    if (value?.kind === "begin" && typeof value.turnId === "string") this.accept(String(token), value.turnId);
  }

  accept(token: string, turnId: string): void {
    const turn = this.#byToken.get(token);
    if (turn === undefined || turn.turnId !== undefined) return;
    turn.accept(turnId);
    for (const event of this.#early.get(turn.sessionName) ?? []) turn.push(event);
    this.#settle(turn.sessionName);
  }

  push(event: EventParams): void {
    const turns = this.#of(event.sessionName);
    for (const turn of turns) turn.push(event);
    if (turns.some(isUnknown)) this.#keep(event);
  }

  #of(sessionName: string): Turn[] {
    return [...this.#byToken.values()].filter((turn) => turn.sessionName === sessionName);
  }

  #keep(event: EventParams): void {
    const { sessionName, seq } = event;
    const early = this.#early.get(sessionName) ?? [];
    this.#early.set(sessionName, early);
    if (early.length < BACKLOG) early.push(event);
    else early.splice(0, BACKLOG, resync(sessionName, seq));
  }

  /** What is early is kept for those whose ids are not known. */
  #settle(sessionName: string): void {
    if (!this.#of(sessionName).some(isUnknown)) this.#early.delete(sessionName);
  }
}

const isUnknown = (turn: Turn): boolean => turn.turnId === undefined;
