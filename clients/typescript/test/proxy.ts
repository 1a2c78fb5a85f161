// Stands between a client and its daemon, until it is cut.

import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { TestContext } from "node:test";

export class Proxy {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(
    test: TestContext,
    readonly path: string,
    private readonly target: string,
  ) {
    test.after(() => this.cut());
  }

  async open(): Promise<void> {
    this.#server = createServer((socket) => {
      const onward = connect(this.target);
      for (const one of [socket, onward]) this.#sockets.add(one.on("error", () => undefined));
      socket.pipe(onward).pipe(socket);
    });
    this.#server.listen(this.path);
    await once(this.#server, "listening");
  }

  /** All connections die, and no new ones are taken. */
  async cut(): Promise<void> {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await rm(this.path, { force: true });
  }
}
