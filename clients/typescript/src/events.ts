// What is told of a session, and what stands where some of it is missing.

import type { EventParams } from "./protocol.js";
import { Queue } from "./queue.js";

/** Events that are kept for a reader who is behind. */
export const BACKLOG = 1024;

/** Up to `seq` the events are gone. */
export function resync(sessionName: string, seq: number): EventParams {
  return { sessionName, turnId: "", seq, event: { kind: "resync" } };
}

export const isResync = ({ event }: EventParams): boolean => event.kind === "resync";

/** Where a reader falls too far behind, it gets the event `resync` in place of what is dropped. */
export function eventQueue(backlog: number): Queue<EventParams> {
  return new Queue(backlog, ({ sessionName, seq }) => resync(sessionName, seq));
}

/** A later daemon may say it otherwise; what cannot be placed is passed over. */
export function asEvent(params: unknown): EventParams | undefined {
  const { sessionName, seq, event } = (params ?? {}) as Partial<EventParams>;
  const fits = typeof sessionName === "string" && typeof seq === "number" && typeof event?.kind === "string";
  return fits ? (params as EventParams) : undefined;
}
