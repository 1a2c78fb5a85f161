// The first words of a connection: who we are, and what the daemon says of itself, or why it does not.

import type { MessageConnection, MessageReader } from "vscode-jsonrpc/node";

import { cancelled, errorOf, OpenThinkError } from "./error.js";
import type { InitializeParams, InitializeResult } from "./protocol.js";
import type { Transport } from "./transport.js";

export interface Patience {
  /** Milliseconds until there must be an answer. */
  timeoutMs: number;
  /** Whoever no longer wants to wait. */
  signals: (AbortSignal | undefined)[];
}

/** Characters of what something else prints that are shown. */
const SHOWN = 200;

/** What a daemon begins with. */
const BEGINNING = "content-";

/** Where it goes wrong, the other end is gone. */
export async function shakeHands(
  rpc: MessageConnection,
  { reader, transport, who }: { reader: MessageReader; transport: Transport; who: InitializeParams },
  { timeoutMs, signals }: Patience,
): Promise<InitializeResult> {
  let printed = "";
  let stop!: (error: unknown) => void;
  const stopped = new Promise<never>((_, reject) => (stop = reject));
  const strange = (): void => stop(stranger(transport, printed));
  const hear = (bytes: Buffer): void => {
    printed = (printed + bytes.toString()).slice(0, SHOWN);
    const start = printed.trimStart().slice(0, BEGINNING.length).toLowerCase();
    if (!BEGINNING.startsWith(start)) strange();
  };
  transport.input.on("data", hear);
  const broken = reader.onError(() => void (printed !== "" && strange()));
  const timer = setTimeout(() => stop(late(transport, timeoutMs, printed)), timeoutMs);
  const aborts = signals.flatMap((signal) => (signal === undefined ? [] : [{ signal, abort: () => stop(cancelled(signal)) }]));
  for (const { signal, abort } of aborts) {
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
  }
  try {
    const greeting = rpc.sendRequest<InitializeResult>("initialize", who);
    const initialized = await Promise.race([stopped, greeting]);
    await Promise.race([stopped, rpc.sendNotification("initialized", {})]);
    return initialized;
  } catch (error) {
    // Who said nothing useful is not waited for.
    await (error instanceof OpenThinkError ? transport.kill() : transport.end());
    throw refusal(error, transport);
  } finally {
    clearTimeout(timer);
    broken.dispose();
    transport.input.off("data", hear);
    for (const { signal, abort } of aborts) signal.removeEventListener("abort", abort);
  }
}

function stranger({ name }: Transport, printed: string): OpenThinkError {
  const hint = "Standard output must be open-think's alone; is it what `command` names?";
  const message = `${name} does not speak as open-think does; it printed ${JSON.stringify(printed)}`;
  return new OpenThinkError(message, { code: "E_CONNECT", number: 0, hint });
}

function late({ name, said }: Transport, timeoutMs: number, printed: string): OpenThinkError {
  const words = said() || printed;
  const message = `${name} did not answer within ${timeoutMs} ms${words && `; it said ${JSON.stringify(words)}`}`;
  const hint = "`open-think doctor` may say why.";
  return new OpenThinkError(message, { code: "E_CONNECT", number: 0, retryable: true, hint });
}

function refusal(error: unknown, { name, said, mayHelp }: Transport): OpenThinkError {
  const cause = errorOf(error);
  if (cause.code !== "E_CONNECTION_LOST") return cause;
  const message = said() || `${name} ended before it answered`;
  return new OpenThinkError(message, { code: "E_CONNECT", number: 0, retryable: mayHelp(), cause });
}
