// One connection to a daemon, from its first message to its last.

import type { CancellationToken, MessageConnection } from "vscode-jsonrpc/node";
import { createMessageConnection } from "vscode-jsonrpc/node";

import type { Patience } from "./handshake.js";
import { shakeHands } from "./handshake.js";
import type { InitializeParams, InitializeResult } from "./protocol.js";
import { Reader, Writer } from "./streams.js";
import type { Transport } from "./transport.js";

export interface Handlers {
  notification(method: string, params: unknown): void;
  request(method: string, params: unknown, token: CancellationToken): Promise<unknown>;
}

export interface Connection {
  rpc: MessageConnection;
  initialized: InitializeResult;
  /** Settles as soon as nothing more can be asked, before what was asked fails. */
  lost: Promise<void>;
  /** Settles once nothing more comes and all that came was dealt with. */
  gone: Promise<void>;
  /** Lets go of the other end, once all is written. */
  end(): Promise<void>;
}

/** Says who we are; what the daemon answers is the first thing to come. */
export async function converse(
  transport: Transport,
  who: InitializeParams,
  handlers: Handlers,
  patience: Patience,
): Promise<Connection> {
  const [reader, writer] = [new Reader(transport.input), new Writer(transport.output)];
  let handled = 0;
  const rpc = createMessageConnection(reader, writer, undefined, {
    messageStrategy: {
      handleMessage(message, next) {
        handled += 1;
        next(writer.attributed(message));
      },
    },
  });
  rpc.onNotification((method, params) => handlers.notification(method, params));
  rpc.onUnhandledProgress((params) => handlers.notification("$/progress", params));
  rpc.onRequest((method, params, token) => handlers.request(method, params, token as CancellationToken));
  const lost = new Promise<void>((resolve) => {
    rpc.onClose(resolve);
    rpc.onError(() => {
      resolve();
      // What cannot be read or written leaves nothing to go on with.
      void transport.end();
    });
  });
  const gone = new Promise<void>((resolve) => rpc.onClose(resolve)).then(async () => {
    // Not all that is read is handled: a question that is taken back before has no turn.
    for (let left = reader.count - handled; left >= 0; left -= 1) await new Promise(setImmediate);
    rpc.dispose();
    await transport.end();
  });
  rpc.listen();
  const initialized = await shakeHands(rpc, { reader, transport, who }, patience);
  return { rpc, initialized, lost, gone, end: () => transport.end(writer.flushed()) };
}
