// What cannot be written as JSON is found where it was given, before it reaches the connection.

import { OpenThinkError } from "./error.js";

export function checkJson(value: unknown, what: string): void {
  try {
    if (JSON.stringify(value) === undefined) throw new TypeError(`it is a ${typeof value}`);
  } catch (cause) {
    const message = `${what} cannot be written as JSON: ${(cause as Error).message}`;
    throw new OpenThinkError(message, { code: "E_BAD_REQUEST", number: 0, cause });
  }
}
