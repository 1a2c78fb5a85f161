import assert from "node:assert/strict";
import { test } from "node:test";

import type { State } from "open-think";

import { promised, until } from "./collect.js";
import { Home } from "./home.js";
import { Proxy } from "./proxy.js";

const NAP = { content: "call take-a-nap {}", mode: "auto", sessionName: "napping" } as const;

test("a cut connection is made anew, and what was missed is replayed", async (t) => {
  const home = await Home.make(t);
  const direct = await home.connect();
  const proxy = new Proxy(t, home.path("proxy.sock"), (await direct.status()).socket ?? "");
  await proxy.open();
  const states: State[] = [];
  const client = await home.connect({ socket: proxy.path, onState: (state) => states.push(state) });
  const watching = await client.subscribe("s");
  await direct.message({ content: "before", sessionName: "s" }).result;
  const before = await watching[Symbol.asyncIterator]().next();
  assert.equal(before.value?.event.kind, "turn-start");

  const turn = client.message(NAP);
  for await (const { kind } of turn) if (kind === "tool-use-stop") break;
  await proxy.cut();
  await assert.rejects(turn.result, { code: "E_CONNECTION_LOST", retryable: true });
  const waiting = client.status();
  const { turnId } = await direct.message({ content: "meanwhile", sessionName: "s" }).result;
  await proxy.open();
  assert.ok((await waiting).pid);
  assert.deepEqual(states, ["reconnecting", "connected"]);

  const seen = await until(watching, (event) => event.turnId === turnId && event.event.kind === "loop-done");
  let next = before.value?.seq ?? 0;
  for (const { seq, firstSeq } of seen) {
    assert.equal(firstSeq ?? seq, next + 1);
    next = seq;
  }
});

test("a shim that dies is started again", async (t) => {
  const home = await Home.make(t);
  const again = promised<State>();
  const onState = (state: State): void => void (state === "connected" && again.resolve(state));
  const client = await home.connect({ clientInfo: { name: "mortal" }, onState });
  const { pid, connections } = await client.status();
  const nap = client.message(NAP);
  for await (const { kind } of nap) if (kind === "tool-use-stop") break;
  process.kill(connections.find(({ name }) => name === "mortal")?.pid ?? 0, "SIGKILL");
  await assert.rejects(nap.result, { code: "E_CONNECTION_LOST", retryable: true });
  await again.promise;
  assert.equal((await client.status()).pid, pid, "the daemon is the same");
});

test("a client outlives the daemon behind its shim", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect();
  const watching = await client.subscribe("s");
  await client.message({ content: "hello", sessionName: "s" }).result;
  await until(watching, ({ event }) => event.kind === "loop-done").catch(() => undefined);
  const rest = await client.subscribe("s");
  const { pid } = await client.status();
  await home.program("stop", "--now");
  const { turnId } = await client.message({ content: "hello again", sessionName: "s" }).result;
  assert.notEqual((await client.status()).pid, pid);
  const seen = await until(rest, (event) => event.turnId === turnId && event.event.kind === "loop-done");
  assert.ok(seen.length > 0);
});

test("when nobody answers any more the client is closed, and says so", async (t) => {
  const home = await Home.make(t);
  const direct = await home.connect();
  const proxy = new Proxy(t, home.path("proxy.sock"), (await direct.status()).socket ?? "");
  await proxy.open();
  const over = promised<unknown>();
  const onState = (state: State, error?: unknown): void => void (state === "closed" && over.resolve(error));
  const client = await home.connect({ socket: proxy.path, reconnects: 1, onState });
  const watching = await client.subscribe("s");
  await proxy.cut();
  await assert.rejects(until(watching, () => true), { code: "E_CONNECT" });
  assert.equal(((await over.promise) as { code: string }).code, "E_CONNECT");
  await assert.rejects(client.status(), { code: "E_CONNECT" });
});
