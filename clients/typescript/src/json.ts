// What cannot be sent is found where it was given, before it reaches the connection.

import { OpenThinkError } from "./error.js";

/** Bytes of the longest message that a daemon reads. */
const FRAME = 16 * 1024 * 1024;

/** Bytes that a message has besides what it is given. */
const ENVELOPE = 1024;

export function checkJson(value: unknown, what: string): void {
  const bytes = Buffer.byteLength(written(value, what));
  if (bytes <= FRAME - ENVELOPE) return;
  const message = `${what} is too long: it has ${bytes} bytes, and a message may have ${FRAME}`;
  throw new OpenThinkError(message, { code: "E_FRAME_TOO_LONG", number: 0 });
}

function written(value: unknown, what: string): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
    throw new TypeError(`it is a ${typeof value}`);
  } catch (cause) {
    const message = `${what} cannot be written as JSON: ${(cause as Error).message}`;
    throw new OpenThinkError(message, { code: "E_BAD_REQUEST", number: 0, cause });
  }
}
