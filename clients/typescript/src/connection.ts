// One connection to a daemon, from its first message to its last.

import type { CancellationToken, DataCallback, Disposable, MessageConnection } from "vscode-jsonrpc/node";
import { createMessageConnection, Message, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";

import { errorOf, OpenThinkError } from "./error.js";
import type { InitializeParams, InitializeResult } from "./protocol.js";
import type { Transport } from "./transport.js";

export interface Handlers {
  notification(method: string, params: unknown): void;
  request(method: string, params: unknown, token: CancellationToken): Promise<unknown>;
}

export interface Connection {
  rpc: MessageConnection;
  initialized: InitializeResult;
  /** Settles once nothing more comes and all that came was dealt with. */
  gone: Promise<void>;
  /** Lets go of the other end. */
  end(): Promise<void>;
}

/** Counts what it reads, because the library deals with it later. */
class CountingReader extends StreamMessageReader {
  count = 0;

  override listen(callback: DataCallback): Disposable {
    return super.listen((message) => {
      this.count += 1;
      callback(message);
    });
  }
}

/** That an answer finds nobody left is no fault, and the library has nobody who would hear of it. */
class AnsweringWriter extends StreamMessageWriter {
  override async write(message: Message): Promise<void> {
    try {
      await super.write(message);
    } catch (error) {
      if (!Message.isResponse(message)) throw error;
    }
  }
}

/** Says who we are; what the daemon answers is the first thing to come. */
export async function converse(transport: Transport, who: InitializeParams, handlers: Handlers): Promise<Connection> {
  const reader = new CountingReader(transport.input);
  let handled = 0;
  const rpc = createMessageConnection(reader, new AnsweringWriter(transport.output), undefined, {
    messageStrategy: {
      handleMessage(message, next) {
        handled += 1;
        next(message);
      },
    },
  });
  rpc.onNotification((method, params) => handlers.notification(method, params));
  rpc.onUnhandledProgress((params) => handlers.notification("$/progress", params));
  rpc.onRequest((method, params, token) => handlers.request(method, params, token as CancellationToken));
  // What cannot be read or written leaves nothing to go on with.
  rpc.onError(() => void transport.end());
  const gone = new Promise<void>((resolve) => rpc.onClose(resolve)).then(async () => {
    for (let left = reader.count - handled; left > 0; left -= 1) await new Promise(setImmediate);
    rpc.dispose();
    await transport.end();
  });
  rpc.listen();
  try {
    const initialized = await rpc.sendRequest<InitializeResult>("initialize", who);
    await rpc.sendNotification("initialized", {});
    return { rpc, initialized, gone, end: () => transport.end() };
  } catch (error) {
    await transport.end();
    throw refusal(error, transport.said());
  }
}

function refusal(error: unknown, said: string): OpenThinkError {
  const cause = errorOf(error);
  if (cause.code !== "E_CONNECTION_LOST") return cause;
  const message = said === "" ? "open-think ended before it answered" : said;
  return new OpenThinkError(message, { code: "E_CONNECT", number: 0, cause });
}
