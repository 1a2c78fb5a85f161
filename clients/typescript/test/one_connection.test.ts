// Turns and subscriptions share a connection; each gets what is its own, once and in order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "open-think";
import type { MessageConnection } from "vscode-jsonrpc/node";

import { all, eventually, until } from "./collect.js";
import { fake, result } from "./fake.js";
import { Home } from "./home.js";

const MESSAGE = { content: "hello", sessionName: "s" } as const;

const text = (seq: number, turnId: string, more: object = {}) => ({
  sessionName: "s",
  turnId,
  seq,
  event: { kind: "text-delta", index: 0, text: `${seq}` },
  ...more,
});

const tell = async (peer: MessageConnection, ...events: object[]): Promise<void> => {
  for (const event of events) await peer.sendNotification("conductor.event", event);
};

const begin = (peer: MessageConnection, token: unknown, turnId: string): Promise<void> =>
  peer.sendNotification("$/progress", { token, value: { kind: "begin", title: "Helm", cancellable: true, turnId } });

test("a turn's id is known before its events", async (t) => {
  const client = await (await Home.make(t)).connect();
  const first = client.message({ content: "call take-a-nap {}", mode: "auto", sessionName: "s" });
  const second = client.message({ content: "hello", sessionName: "s" });
  assert.equal(second.turnId, undefined);
  const turnId = await second.accepted;
  assert.equal(second.turnId, turnId);
  const { runningTurns } = await client.status();
  assert.ok(runningTurns.every((running) => running.turnId !== turnId), "it waits behind the first");
  await until(first, ({ kind }) => kind === "tool-use-stop");
  await first.interrupt();
  assert.equal((await second.result).turnId, turnId);
});

test("a turn that is refused has no id, and says why", async (t) => {
  const client = await (await Home.make(t)).connect();
  const turn = client.message({ content: "hello", provider: "anthropic" });
  await assert.rejects(turn.accepted, { code: "E_NO_PROVIDER" });
  await assert.rejects(turn.result, { code: "E_NO_PROVIDER" });
  assert.equal(turn.turnId, undefined);
});

test("a client has one connection, whatever it watches", async (t) => {
  const client = await (await Home.make(t)).connect();
  await using _one = await client.subscribe("one");
  await using _other = await client.subscribe("other");
  const { connections } = await client.status();
  assert.deepEqual(connections.map(({ subscriptions }) => [...subscriptions].sort()), [["one", "other"]]);
});

test("events that come before the turn's id wait for it", async (t) => {
  const socket = await fake(t, {
    "conductor.message": async ({ workDoneToken }, peer) => {
      await tell(peer, text(1, "theirs"), text(2, "ours"), text(3, "theirs"));
      await begin(peer, "not a token of this client", "theirs");
      await begin(peer, workDoneToken, "ours");
      await tell(peer, text(4, "ours"), text(4, "ours"), text(5, "theirs"));
      return result("ours");
    },
  });
  const client = await connect({ socket });
  const events = await all(client.message(MESSAGE));
  assert.deepEqual(events.map((event) => event.kind === "text-delta" && event.text), ["2", "4"]);
  await client.close();
});

test("too many of them are told to be missing", async (t) => {
  const socket = await fake(t, {
    "conductor.message": async ({ workDoneToken }, peer) => {
      for (let seq = 1; seq <= 3000; seq += 1) await tell(peer, text(seq, "ours"));
      await begin(peer, workDoneToken, "ours");
      return result("ours");
    },
  });
  const client = await connect({ socket });
  const events = await all(client.message(MESSAGE));
  assert.equal(events[0]?.kind, "resync");
  assert.ok(events.length > 1 && events.length <= 1024, String(events.length));
  await client.close();
});

test("what is missing of others' turns is not missing of this one", async (t) => {
  const resync = { sessionName: "s", turnId: "", seq: 7, event: { kind: "resync" } };
  const start = { sessionName: "s", turnId: "ours", seq: 8, event: { kind: "turn-start", iteration: 1, provider: "p" } };
  const told: Record<string, object[]> = {
    "goes before": [resync, start, text(9, "ours")],
    "lies between": [resync, text(8, "theirs"), text(9, "ours")],
    "is of this one": [resync, text(8, "ours")],
    "comes in the midst": [text(6, "ours"), resync, text(8, "ours")],
  };
  const socket = await fake(t, {
    "conductor.message": async ({ workDoneToken, content }, peer) => {
      await begin(peer, workDoneToken, "ours");
      await tell(peer, ...(told[content] ?? []));
      return result("ours");
    },
  });
  const client = await connect({ socket });
  const kinds = async (content: string) => (await all(client.message({ ...MESSAGE, content }))).map(({ kind }) => kind);
  assert.deepEqual(await kinds("goes before"), ["turn-start", "text-delta"]);
  assert.deepEqual(await kinds("lies between"), ["text-delta"]);
  assert.deepEqual(await kinds("is of this one"), ["resync", "text-delta"]);
  assert.deepEqual(await kinds("comes in the midst"), ["text-delta", "resync", "text-delta"]);
  await client.close();
});

test("turns are told apart by their requests, whichever is accepted first", async (t) => {
  const tokens: unknown[] = [];
  const socket = await fake(t, {
    "conductor.message": async ({ workDoneToken, content }, peer) => {
      tokens.push(workDoneToken);
      await eventually(() => tokens.length >= (content === "first" ? 3 : 2));
      await begin(peer, workDoneToken, content);
      await tell(peer, text(tokens.push("begun"), content));
      return result(content);
    },
  });
  const client = await connect({ socket });
  const turns = ["first", "second"].map((content) => client.message({ ...MESSAGE, content }));
  const told = await Promise.all(turns.map(all));
  assert.deepEqual(told.map((events) => events.map((event) => event.kind === "text-delta" && event.text)), [["4"], ["3"]]);
  assert.notEqual(tokens[0], tokens[1]);
  await client.close();
});

test("text of which a part is known already is told to be missing", async (t) => {
  const socket = await fake(t, {
    "conductor.message": async ({ workDoneToken }, peer) => {
      await begin(peer, workDoneToken, "ours");
      await tell(peer, text(1, "ours"), text(2, "ours"), text(4, "ours", { firstSeq: 2 }), text(5, "ours"));
      return result("ours");
    },
  });
  const client = await connect({ socket });
  const events = await all(client.message(MESSAGE));
  assert.deepEqual(events.map(({ kind }) => kind), ["text-delta", "text-delta", "resync", "text-delta"]);
  await client.close();
});

test("a replay is whole, although a turn's events come between", async (t) => {
  const socket = await fake(t, {
    "conductor.subscribe": async (_, peer) => {
      setImmediate(() => void tell(peer, text(8, "t"), ...[3, 4, 5, 6, 7, 8, 9].map((seq) => text(seq, "t"))));
      return { seq: 8 };
    },
  });
  const client = await connect({ socket });
  const seen = await until(await client.subscribe("s", { afterSeq: 2 }), ({ seq }) => seq === 9);
  assert.deepEqual(seen.map(({ seq }) => seq), [3, 4, 5, 6, 7, 8, 9]);
  await client.close();
});
