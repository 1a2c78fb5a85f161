import type { Window } from "./window.js";

/** Lets the extension of this window speak to a daemon that says what the test wants. */
export function through(window: Window, socket: string): void {
  const program = 'const s = require("node:net").connect(process.argv[1]); process.stdin.pipe(s).pipe(process.stdout)';
  window.settings.set("command", process.execPath);
  window.settings.set("args", ["-e", program, socket]);
}
