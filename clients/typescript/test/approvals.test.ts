import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { ApprovalParams, Approve } from "open-think";
import { connect } from "open-think";

import { promised } from "./collect.js";
import { fake, result } from "./fake.js";
import { Home } from "./home.js";

const WRITE = { content: 'call write-note {"text":"held"}', mode: "selective", sessionName: "s" } as const;

test("what is approved runs, once", async (t) => {
  const home = await Home.make(t);
  const asked: ApprovalParams[] = [];
  const approve: Approve = async (request) => {
    asked.push(request);
    return "approve";
  };
  const client = await home.connect({ approve });
  await client.subscribe("s");
  const { stopReason, trace } = await client.message(WRITE).result;
  assert.deepEqual([stopReason, trace[0]?.ok], ["end-turn", true]);
  assert.equal(asked.length, 1, "although this client both speaks and watches");
  assert.equal(asked[0]?.actions[0]?.skill, "write-note");
  assert.equal(await home.notes(), '{"text":"held"}');
});

test("an approval may change the input", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect({ approve: async () => ({ decision: "approve", input: { text: "changed" } }) });
  await client.message(WRITE).result;
  assert.equal(await home.notes(), '{"text":"changed"}');
});

test("what is denied does not run", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect({ approve: async () => "deny" });
  const { trace } = await client.message(WRITE).result;
  assert.equal(trace[0]?.ok, false);
  assert.equal(await home.notes(), "");
});

test("without an answer it is held, and can be decided later", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect({ approve: async () => undefined });
  const held = await client.message(WRITE).result;
  assert.deepEqual([held.stopReason, held.halted], ["dangerous-skill", "dangerous-skill"]);
  const { heldActions } = await client.sessions.get("s");
  const actionIds = heldActions.map(({ id }) => id);
  const { trace } = await client.approve({ sessionName: "s", actionIds, decision: "approve" }).result;
  assert.equal(trace[0]?.ok, true);
  assert.equal(await home.notes(), '{"text":"held"}');
});

test("a callback that fails has not decided, and its fault is told", async (t) => {
  const home = await Home.make(t);
  const warned = once(process, "warning");
  const client = await home.connect({
    approve: async () => {
      throw new Error("there is no screen");
    },
  });
  assert.equal((await client.message(WRITE).result).halted, "dangerous-skill");
  assert.match(String((await warned)[0]), /there is no screen/);
  assert.equal(await home.notes(), "");
});

test("once somebody has decided, the others are told", async (t) => {
  const home = await Home.make(t);
  const [asked, told] = [promised(), promised()];
  const slow: Approve = async (_, { signal }) => {
    asked.resolve();
    signal.addEventListener("abort", () => told.resolve());
    await told.promise;
    return "approve";
  };
  const watcher = await home.connect({ approve: slow });
  await watcher.subscribe("s");
  const quick: Approve = async () => {
    await asked.promise;
    return "deny";
  };
  const client = await home.connect({ approve: quick });
  const { trace } = await client.message(WRITE).result;
  assert.equal(trace[0]?.ok, false);
  await told.promise;
});

test("after the deadline an answer counts for nothing", async (t) => {
  const answered = promised<unknown>();
  const approval = { approvalId: "a", sessionName: "s", turnId: "t", actions: [], deadlineMs: 1 };
  const socket = await fake(t, {
    "conductor.message": async (_, peer) => {
      await peer.sendRequest("conductor.approval", approval).catch(answered.resolve);
      return result("t");
    },
  });
  const late: Approve = (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve("approve")));
  const client = await connect({ socket, approve: late });
  await client.message({ content: "hello" }).result;
  assert.match(String(await answered.promise), /the time is up/);
  await client.close();
});
