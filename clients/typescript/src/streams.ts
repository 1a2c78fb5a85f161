// What is read and written, as far as the library leaves it to others.

import type { DataCallback, Disposable } from "vscode-jsonrpc/node";
import { Message, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";

import { warn } from "./warn.js";

/** Counts what it reads, because the library deals with it later. */
export class Reader extends StreamMessageReader {
  count = 0;

  override listen(callback: DataCallback): Disposable {
    return super.listen((message) => {
      this.count += 1;
      callback(message);
    });
  }
}

export class Writer extends StreamMessageWriter {
  /** The requests without an answer. */
  readonly #open = new Set<unknown>();
  #last: Promise<void> = Promise.resolve();

  override async write(message: Message): Promise<void> {
    if (Message.isRequest(message)) this.#open.add(message.id);
    const written = super.write(message);
    // They are written one after the other.
    this.#last = written.catch(() => undefined);
    try {
      await written;
    } catch (error) {
      // That an answer finds nobody left is no fault, and the library has nobody who would hear of it.
      if (!Message.isResponse(message)) throw error;
    }
  }

  /** Settles once all that was given to it is written. */
  flushed(): Promise<void> {
    return this.#last;
  }

  /** What could not be read has an answer that names no request: it is that of the only one, or is warned of. */
  attributed(message: Message): Message {
    if (!Message.isResponse(message)) return message;
    if (message.id !== null) {
      this.#open.delete(message.id);
      return message;
    }
    const [only, ...others] = this.#open;
    if (only === undefined || others.length > 0) {
      warn("open-think could not read something", message.error?.message);
      return message;
    }
    this.#open.delete(only);
    return { ...message, id: only } as Message;
  }
}
