import assert from "node:assert/strict";
import { test } from "node:test";

import { all, until } from "./collect.js";
import { Home } from "./home.js";

const NAP = { content: "call take-a-nap {}", mode: "auto" } as const;

test("a turn streams, and its result holds the whole answer", async (t) => {
  const client = await (await Home.make(t)).connect();
  const turn = client.message({ content: 'call read-note {"name":"quince"}', mode: "selective", sessionName: "s" });
  let text = "";
  const kinds = new Set<string>();
  for await (const event of turn) {
    kinds.add(event.kind);
    if (event.kind === "text-delta") text += event.text;
    if (event.kind === "tool-result") assert.deepEqual([event.skill, event.ok], ["read-note", true]);
  }
  const result = await turn.result;
  for (const kind of ["turn-start", "tool-use-stop", "tool-result", "loop-done"]) assert.ok(kinds.has(kind), kind);
  assert.deepEqual([result.turnId, result.stopReason, result.providerUsed], [turn.turnId, "end-turn", "offline"]);
  assert.deepEqual(result.trace[0]?.result, { name: "quince" });
  assert.ok(text.includes("quince") && result.assistantMessage?.content.includes("quince"), text);
});

test("the result comes whether or not anybody iterates", async (t) => {
  const client = await (await Home.make(t)).connect();
  const { assistantMessage } = await client.message({ content: "hello" }).result;
  assert.equal(assistantMessage?.role, "assistant");
});

test("turns of one session are told apart", async (t) => {
  const home = await Home.make(t);
  const [one, other] = [await home.connect(), await home.connect()];
  const watching = await one.subscribe("s");
  const say = (name: string) => ({ content: `call read-note {"name":"${name}"}`, mode: "auto", sessionName: "s" }) as const;
  const turns = [one.message(say("a")), other.message(say("b")), one.message(say("c")), other.message(say("d"))];
  const told = await Promise.all(turns.map(all));
  for (const [index, name] of ["a", "b", "c", "d"].entries()) {
    const results = told[index]?.flatMap((event) => (event.kind === "tool-result" ? [event.data] : []));
    assert.deepEqual(results, [{ name }]);
    const { turnId } = (await turns[index]?.result) ?? {};
    assert.equal(turnId, turns[index]?.turnId);
  }
  let done = 0;
  const seen = await until(watching, ({ event }) => event.kind === "loop-done" && (done += 1) === turns.length);
  assert.deepEqual(
    new Set(seen.map(({ turnId }) => turnId)),
    new Set(turns.map(({ turnId }) => turnId)),
    "who watches sees all of them",
  );
});

test("an interrupted turn has a result", async (t) => {
  const client = await (await Home.make(t)).connect();
  const turn = client.message(NAP);
  await until(turn, ({ kind }) => kind === "tool-use-stop");
  assert.equal(await turn.interrupt(), true);
  assert.equal((await turn.result).stopReason, "cancelled");
  assert.equal(await turn.interrupt(), false, "it is over");
  assert.equal(await client.interrupt("nobody"), false);
});

test("an interrupt waits until its own turn runs", async (t) => {
  const client = await (await Home.make(t)).connect();
  const first = client.message(NAP);
  await until(first, ({ kind }) => kind === "tool-use-stop");
  const second = client.message(NAP);
  const interrupted = second.interrupt();
  assert.equal((await client.status()).runningTurns[0]?.turnId, first.turnId);
  await first.interrupt();
  assert.equal((await first.result).stopReason, "cancelled");
  assert.equal(await interrupted, true);
  assert.equal((await second.result).stopReason, "cancelled");
});

test("an aborted signal cancels the turn", async (t) => {
  const client = await (await Home.make(t)).connect();
  const stop = new AbortController();
  const turn = client.message(NAP, { signal: stop.signal });
  await until(turn, ({ kind }) => kind === "tool-use-stop");
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(turn.result, { name: "OpenThinkError", code: "E_CANCELLED", number: -32800, cause: reason });
  await assert.rejects(client.message(NAP, { signal: stop.signal }).result, { code: "E_CANCELLED", cause: reason });
  assert.deepEqual((await client.status()).runningTurns, []);
  await client.close();
  stop.abort();
});

test("a turn that waits behind another is cancelled alone", async (t) => {
  const client = await (await Home.make(t)).connect();
  const first = client.message(NAP);
  await until(first, ({ kind }) => kind === "tool-use-stop");
  const stop = new AbortController();
  const second = client.message(NAP, { signal: stop.signal });
  await client.status();
  stop.abort();
  await assert.rejects(second.result, { code: "E_CANCELLED" });
  assert.equal((await client.status()).runningTurns.length, 1);
  await first.interrupt();
  assert.equal((await first.result).stopReason, "cancelled");
});
