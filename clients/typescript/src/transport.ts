// The way to the daemon: a program between, or its socket.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect as dial } from "node:net";
import type { Readable, Writable } from "node:stream";

import { OpenThinkError } from "./error.js";

export interface Way {
  /** What is started. Default `open-think`, from the search path. */
  command?: string;
  /** Default `["--stdio"]`, which finds the daemon that all clients of the user share, or starts it. */
  args?: string[];
  /** Which of several daemons, each with its own configuration and state. */
  profile?: string;
  /** Where the programs work that are started for this client. */
  cwd?: string;
  /** The environment of the program that is started. Default: that of this process. */
  env?: Record<string, string | undefined>;
  /** The path of a daemon's socket. Nothing is started then. */
  socket?: string;
}

export interface Transport {
  /** What is at the other end, for people. */
  name: string;
  input: Readable;
  output: Writable;
  /** What the program said on its way out. */
  said(): string;
  /** Where it ended before it answered: whether another try may go better. */
  mayHelp(): boolean;
  /** Lets go after `last`, and returns once the other end is gone. */
  end(last?: Promise<void>): Promise<void>;
  /** Does not wait for it to let go. */
  kill(): Promise<void>;
}

/** Bytes of what a program says on standard error that are kept. */
const SAID = 4096;

/** Milliseconds that the other end may take to let go by itself. */
const PATIENCE = 3000;

/** With which the program exits when no daemon could be reached or started. */
const UNAVAILABLE = 69;

export async function open(way: Way): Promise<Transport> {
  return way.socket === undefined ? start(way) : dialled(way.socket);
}

async function start(way: Way): Promise<Transport> {
  const command = way.command ?? "open-think";
  const profile = way.profile === undefined ? [] : ["--profile", way.profile];
  const child = spawn(command, [...(way.args ?? ["--stdio"]), ...profile], {
    cwd: way.cwd,
    env: way.env ?? process.env,
    stdio: "pipe",
    windowsHide: true,
  });
  const gone = once(child, "close").catch(() => undefined);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-SAID)));
  forgive(child.stdin, child.stdout, child.stderr);
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw notStarted(command, way.cwd, cause);
  }
  const force = (): void => {
    child.kill("SIGKILL");
    // Programs that it has started may hold them open.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  };
  return {
    name: command,
    input: child.stdout,
    output: child.stdin,
    said: () => said.trim(),
    mayHelp: () => child.exitCode === UNAVAILABLE || child.exitCode === null,
    ...ends(gone, () => child.stdin.end(), force),
  };
}

function notStarted(command: string, cwd: string | undefined, cause: unknown): OpenThinkError {
  const facts = { code: "E_CONNECT", number: 0, cause };
  // A directory that is not there has the same error as a program.
  if (cwd !== undefined && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    const hint = "Give `cwd` a directory that exists.";
    return new OpenThinkError(`${command} could not be started: ${cwd} is no directory`, { ...facts, hint });
  }
  const hint = "Install open-think, or say where it is with `command`.";
  return new OpenThinkError(`${command} could not be started: ${(cause as Error).message}`, { ...facts, hint });
}

async function dialled(path: string): Promise<Transport> {
  const socket = dial(path);
  try {
    await once(socket, "connect");
  } catch (cause) {
    const hint = "Nobody listens there; `open-think status` says where the daemon does.";
    const facts = { code: "E_CONNECT", number: 0, retryable: true, hint, cause };
    throw new OpenThinkError(`${path} cannot be reached`, facts);
  }
  forgive(socket);
  const gone = once(socket, "close").catch(() => undefined);
  const common = { name: path, input: socket, output: socket, said: () => "", mayHelp: () => true };
  return { ...common, ...ends(gone, () => socket.end(), () => socket.destroy()) };
}

type Ends = Pick<Transport, "end" | "kill">;

function ends(gone: Promise<unknown>, leave: () => void, force: () => void): Ends {
  return {
    async end(last) {
      const timer = setTimeout(force, PATIENCE);
      if (last === undefined) leave();
      else void last.then(leave);
      await gone;
      clearTimeout(timer);
    },
    async kill() {
      force();
      await gone;
    },
  };
}

/** That the other end is gone is told by the end of what it says. */
function forgive(...streams: (Readable | Writable)[]): void {
  for (const stream of streams) stream.on("error", () => undefined);
}
