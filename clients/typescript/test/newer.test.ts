// What a later daemon may say, and what a hasty one does.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Event } from "open-think";
import { connect } from "open-think";

import { all } from "./collect.js";
import { fake, result } from "./fake.js";

/** Compiles only while known kinds are told apart beside unknown ones. */
function described(event: Event): string {
  switch (event.kind) {
    case "text-delta":
      return event.text;
    case "loop-done":
      return event.stopReason;
    default: {
      const kind: string = event.kind;
      return kind;
    }
  }
}

test("unknown events and values reach the user as they are", async (t) => {
  const told = [
    { kind: "hologram-start", depth: 3 },
    { kind: "text-delta", index: 0, text: "hello", colour: "green" },
    { kind: "loop-done", stopReason: "bored" },
  ];
  const socket = await fake(t, {
    initialize: () => ({
      capabilities: { protocolVersion: "1.9", methods: ["user.dance"], modes: ["propose", "telepathic"], taste: "sweet" },
      serverInfo: { name: "fake", version: "9", mood: "good" },
      weather: {},
    }),
    "conductor.message": async ({ workDoneToken }, peer) => {
      const progress = (value?: object) => peer.sendNotification("$/progress", { token: workDoneToken, value });
      await progress();
      await progress({ kind: "sparkle" });
      await progress({ kind: "begin", title: "Helm", cancellable: "perhaps", turnId: "t", colour: "green" });
      for (const [index, event] of told.entries()) {
        await peer.sendNotification("conductor.event", { sessionName: "s", turnId: "t", seq: index + 1, event, mood: 7 });
      }
      return result("t", { stopReason: "bored", mode: "telepathic", halted: "full moon", forecast: "rain" });
    },
    "providers.list": () => ({ providers: [{ id: "quartz", kind: "crystal", state: "humming" }], discovered: [1] }),
  });
  const client = await connect({ socket });
  const turn = client.message({ content: "hello", sessionName: "s" });
  const events: Event[] = await all(turn);
  assert.deepEqual(events, told);
  assert.deepEqual(events.map(described), ["hologram-start", "hello", "bored"]);
  const { stopReason, mode, halted } = await turn.result;
  assert.deepEqual([stopReason, mode, halted], ["bored", "telepathic", "full moon"]);
  assert.deepEqual(await client.providers(), [{ id: "quartz", kind: "crystal", state: "humming" }]);
  assert.deepEqual(client.server.capabilities.modes, ["propose", "telepathic"]);
  await client.close();
});

test("what cannot be understood is passed over", async (t) => {
  const methods = ["conductor.event", "conductor.mystery", "conductor.approvalResolved", "$/progress", "$/secret"];
  const socket = await fake(t, {
    "daemon.status": async (_, peer) => {
      for (const method of methods) {
        await peer.sendNotification(method);
        await peer.sendNotification(method, { event: "what?", sessionName: 5, value: 1, token: {} });
      }
      return { pid: 7 };
    },
  });
  const client = await connect({ socket, approve: async () => "deny" });
  const heard: unknown[] = [];
  client.on("conductor.mystery" as never, (params) => heard.push(params));
  assert.equal((await client.status()).pid, 7);
  assert.equal(heard.length, 2, "who asks for it hears of it");
  assert.equal((await client.status()).pid, 7);
  await client.close();
});

test("an unknown error keeps its name, and a question that nobody knows is answered", async (t) => {
  const answers: unknown[] = [];
  const socket = await fake(t, {
    "daemon.status": async (_, peer) => {
      for (const method of ["user.dance", "conductor.approval"]) {
        answers.push(await peer.sendRequest(method, {}).catch(({ code }: { code: number }) => code));
      }
      const { ResponseError } = await import("vscode-jsonrpc/node");
      return new ResponseError(-32099, "full moon", { code: "E_MOON", retryable: true, retryAfterMs: 9 });
    },
  });
  const client = await connect({ socket });
  await assert.rejects(client.status(), { code: "E_MOON", number: -32099, retryable: true, retryAfterMs: 9 });
  assert.deepEqual(answers, [-32601, -32601], "without `approve` it cannot be asked");
  await client.close();
});

test("who does not read is told what is missing", async (t) => {
  const last = 5000;
  const socket = await fake(t, {
    "conductor.message": async (_, peer) => {
      for (let seq = 1; seq <= last; seq += 1) {
        const event = { kind: "text-delta", index: 0, text: "." };
        await peer.sendNotification("conductor.event", { sessionName: "s", turnId: "t", seq, event });
      }
      return result("t");
    },
  });
  const client = await connect({ socket });
  const turn = client.message({ content: "hello", sessionName: "s" });
  await turn.result;
  const events = await all(turn);
  assert.equal(events[0]?.kind, "resync");
  assert.ok(events.length > 1 && events.length <= 1024, String(events.length));
  await client.close();
});

test("what the daemon says that it lost is told", async (t) => {
  const socket = await fake(t, {
    "conductor.subscribe": async (_, peer) => {
      setImmediate(() => {
        void peer.sendNotification("conductor.event", { sessionName: "s", turnId: "", seq: 41, event: { kind: "resync" } });
      });
      return { seq: 41 };
    },
  });
  const client = await connect({ socket });
  const watching = await client.subscribe("s", { afterSeq: 2 });
  for await (const { seq, event } of watching) {
    assert.deepEqual([seq, event.kind], [41, "resync"]);
    break;
  }
  assert.equal(watching.seq, 41);
  await client.close();
});
