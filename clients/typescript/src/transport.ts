// The way to the daemon: a program between, or its socket.

import { spawn } from "node:child_process";
import { once } from "node:events";
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
  input: Readable;
  output: Writable;
  /** What the program said on its way out. */
  said(): string;
  /** Lets go, and returns once the other end is gone. */
  end(): Promise<void>;
}

/** Bytes of what a program says on standard error that are kept. */
const SAID = 4096;

/** Milliseconds that the other end may take to let go by itself. */
const PATIENCE = 3000;

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
    const hint = "Install open-think, or say where it is with `command`.";
    throw new OpenThinkError(`${command} could not be started`, { code: "E_CONNECT", number: 0, hint, cause });
  }
  const end = (): Promise<void> => {
    child.stdin.end();
    return patiently(gone, () => child.kill("SIGKILL"));
  };
  return { input: child.stdout, output: child.stdin, said: () => said.trim(), end };
}

async function dialled(path: string): Promise<Transport> {
  const socket = dial(path);
  try {
    await once(socket, "connect");
  } catch (cause) {
    const hint = "Nobody listens there; `open-think status` says where the daemon does.";
    throw new OpenThinkError(`${path} cannot be reached`, { code: "E_CONNECT", number: 0, hint, cause });
  }
  forgive(socket);
  const gone = once(socket, "close").catch(() => undefined);
  const end = (): Promise<void> => {
    socket.end();
    return patiently(gone, () => socket.destroy());
  };
  return { input: socket, output: socket, said: () => "", end };
}

async function patiently(gone: Promise<unknown>, force: () => void): Promise<void> {
  const timer = setTimeout(force, PATIENCE);
  await gone;
  clearTimeout(timer);
}

/** That the other end is gone is told by the end of what it says. */
function forgive(...streams: (Readable | Writable)[]): void {
  for (const stream of streams) stream.on("error", () => undefined);
}
