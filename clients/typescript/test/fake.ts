// A daemon that says what a test wants it to, on a socket.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import type { MessageConnection } from "vscode-jsonrpc/node";
import { createMessageConnection, ErrorCodes, ResponseError } from "vscode-jsonrpc/node";
import { SocketMessageReader, SocketMessageWriter } from "vscode-jsonrpc/node";

// A test answers as it likes.
type Answer = (params: any, peer: MessageConnection, socket: Socket) => unknown;

/** The path of its socket. */
export async function fake(test: TestContext, answers: Record<string, Answer>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "open-think-"));
  const path = join(directory, "fake.sock");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    const peer = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
    peer.onRequest((method, params) => {
      const answer = answers[method] ?? DEFAULTS[method];
      return answer?.(params, peer, socket) ?? new ResponseError(ErrorCodes.MethodNotFound, `no ${method}`);
    });
    peer.onError(() => undefined);
    peer.listen();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  test.after(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await rm(directory, { recursive: true, force: true });
  });
  return path;
}

const DEFAULTS: Record<string, Answer> = {
  initialize: () => ({
    capabilities: { protocolVersion: "1.9", methods: [], modes: ["propose"] },
    serverInfo: { name: "fake", version: "9" },
  }),
  shutdown: () => ({}),
  "conductor.subscribe": () => ({ seq: 0 }),
  "conductor.unsubscribe": () => ({}),
};

export function result(turnId: string, more: object = {}): object {
  return {
    sessionName: "s",
    turnId,
    mode: "auto",
    modeRequested: "auto",
    suggestedActions: [],
    trace: [],
    stopReason: "end-turn",
    iterationsUsed: 1,
    providerUsed: "fake",
    usage: {},
    attempts: [],
    ...more,
  };
}
