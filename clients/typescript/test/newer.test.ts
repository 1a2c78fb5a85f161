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
    "conductor.message": async (_, peer) => {
      await peer.sendNotification("conductor.mystery", { event: 1 });
      await peer.sendNotification("conductor.event", { sessionName: "s", event: "what?" });
      await peer.sendNotification("conductor.event");
      for (const [index, event] of told.entries()) {
        await peer.sendNotification("conductor.event", { sessionName: "s", turnId: "t", seq: index + 1, event, mood: 7 });
      }
      return result("t", { stopReason: "bored", mode: "telepathic", forecast: "rain" });
    },
    "skills.list": () => ({ skills: [], more: true }),
  });
  const client = await connect({ socket });
  const turn = client.message({ content: "hello", sessionName: "s" });
  const events: Event[] = await all(turn);
  assert.deepEqual(events, told);
  assert.deepEqual(events.map(described), ["hologram-start", "hello", "bored"]);
  const { stopReason, mode } = await turn.result;
  assert.deepEqual([stopReason, mode], ["bored", "telepathic"]);
  assert.deepEqual(await client.skills(), []);
  await client.close();
});

test("an unknown error keeps its name, and a question that nobody knows is answered", async (t) => {
  const answers: unknown[] = [];
  const socket = await fake(t, {
    "daemon.status": async (_, peer) => {
      answers.push(await peer.sendRequest("user.dance", {}).catch((error: unknown) => error));
      const { ResponseError } = await import("vscode-jsonrpc/node");
      return new ResponseError(-32099, "full moon", { code: "E_MOON", retryable: true, retryAfterMs: 9 });
    },
  });
  const client = await connect({ socket });
  await assert.rejects(client.status(), { code: "E_MOON", number: -32099, retryable: true, retryAfterMs: 9 });
  assert.equal((answers[0] as { code: number }).code, -32601);
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
