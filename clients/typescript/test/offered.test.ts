// Skills that a program offers, as Helm and other clients have them.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Client, ClientSkill, OpenThinkError, State } from "open-think";

import { eventually, promised } from "./collect.js";
import { Home } from "./home.js";
import { Proxy } from "./proxy.js";

const COUNT = {
  id: "count-words",
  description: "Counts the words of a text.",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  dangerous: false,
} satisfies ClientSkill;

const count = ({ text }: { text: string }): number => text.split(" ").length;
const has = async (client: Client, skill: string) => (await client.skills()).some(({ id }) => id === skill);
const CALL = { content: 'call count-words {"text":"one two three"}', mode: "selective", sessionName: "s" } as const;

test("Helm calls a skill that a program offers", async (t) => {
  const client = await (await Home.make(t)).connect({ clientInfo: { name: "counter" } });
  const called = promised<object>();
  await client.registerSkill<{ text: string }>(COUNT, async (input, { sessionName, turnId }) => {
    called.resolve({ sessionName, turnId });
    return { words: count(input) };
  });
  const turn = client.message(CALL);
  const { trace } = await turn.result;
  assert.deepEqual(trace.map(({ skill, ok, result }) => [skill, ok, result]), [["count-words", true, { words: 3 }]]);
  assert.deepEqual(await called.promise, { sessionName: "s", turnId: turn.turnId });
  const row = (await client.skills()).find(({ id }) => id === "count-words");
  assert.deepEqual([row?.plugin, row?.dangerous], ["client:counter", false]);
});

test("what fails in it is what the model reads", async (t) => {
  const client = await (await Home.make(t)).connect();
  await client.registerSkill(COUNT, () => {
    throw new Error("the words have run away");
  });
  const { trace } = await client.message(CALL).result;
  assert.equal(trace[0]?.ok, false);
  assert.match(trace[0]?.error ?? "", /the words have run away/);
  assert.doesNotMatch(JSON.stringify(trace), /offered\.test/, "nothing of where it was thrown");
});

test("it is held like any other that is dangerous, which it is unless it says otherwise", async (t) => {
  const { dangerous: _, ...skill } = COUNT;
  const asked: string[] = [];
  const client = await (await Home.make(t)).connect({
    approve: async ({ actions }) => {
      asked.push(...actions.map(({ skill: id }) => id));
      return "deny";
    },
  });
  await client.registerSkill(skill, () => assert.fail("it was denied"));
  const { trace } = await client.message(CALL).result;
  assert.deepEqual([asked, trace[0]?.ok], [["count-words"], false]);
});

test("other clients have it, until it is taken back or its client leaves", async (t) => {
  const home = await Home.make(t);
  const [one, other] = [await home.connect(), await home.connect()];
  const input = { text: "one two" };
  const skill = await one.registerSkill(COUNT, count);
  assert.equal(await other.invoke("count-words", input), 2);
  await assert.rejects(other.invoke("count-words", {}), { code: "E_BAD_REQUEST" });
  await skill.dispose();
  await assert.rejects(other.invoke("count-words", input), { code: "E_SKILL_UNAVAILABLE" });
  await one.registerSkill(COUNT, count);
  await one.close();
  await eventually(async () => !(await has(other, "count-words")));
  await assert.rejects(one.registerSkill(COUNT, count), { code: "E_CLOSED" });
});

test("of two clients that offer the same, each gets its own", async (t) => {
  const home = await Home.make(t);
  const [one, other] = [await home.connect(), await home.connect()];
  await one.registerSkill(COUNT, () => "one");
  await other.registerSkill(COUNT, () => "other");
  for (const [client, own] of [[other, "other"], [one, "one"]] as const) {
    assert.equal((await client.message({ ...CALL, sessionName: own }).result).trace[0]?.result, own);
    assert.equal(await client.invoke("count-words", { text: "" }), own);
  }
});

test("an id of the daemon's own is refused", async (t) => {
  const client = await (await Home.make(t)).connect();
  await assert.rejects(client.registerSkill({ ...COUNT, id: "read-note" }, () => null), (error: OpenThinkError) => {
    assert.equal(error.code, "E_BAD_REQUEST");
    assert.match(error.message, /the skill read-note is not offered: /);
    return true;
  });
});

test("an interrupted turn aborts it", async (t) => {
  const client = await (await Home.make(t)).connect();
  const [called, aborted] = [promised(), promised()];
  await client.registerSkill(COUNT, (_, { signal }) => {
    signal.addEventListener("abort", () => aborted.resolve());
    called.resolve();
    return new Promise(() => undefined);
  });
  const turn = client.message(CALL);
  await called.promise;
  await turn.interrupt();
  await aborted.promise;
  assert.equal((await turn.result).stopReason, "cancelled");
});

test("who never answers has failed when the time is up", async (t) => {
  const client = await (await Home.make(t)).connect();
  await client.registerSkill({ ...COUNT, timeoutMs: 50 }, () => new Promise(() => undefined));
  const { trace, stopReason } = await client.message(CALL).result;
  assert.deepEqual([trace[0]?.ok, stopReason], [false, "end-turn"]);
});

test("it is offered again on a new connection", async (t) => {
  const home = await Home.make(t);
  const direct = await home.connect();
  const proxy = new Proxy(t, home.path("proxy.sock"), (await direct.status()).socket ?? "");
  await proxy.open();
  const client = await home.connect({ socket: proxy.path });
  await client.registerSkill<{ text: string }>(COUNT, count);
  const gone = await client.registerSkill({ ...COUNT, id: "no-longer" }, () => null);
  await gone.dispose();
  await proxy.cut();
  await proxy.open();
  assert.equal((await client.message(CALL).result).trace[0]?.result, 3);
  assert.equal(await has(direct, "no-longer"), false);
});

test("it is offered again when the shim has died", async (t) => {
  const home = await Home.make(t);
  const direct = await home.connect();
  const again = promised();
  const onState = (state: State): void => void (state === "connected" && again.resolve());
  const client = await home.connect({ clientInfo: { name: "mortal" }, onState });
  await client.registerSkill<{ text: string }>(COUNT, count);
  const { connections } = await direct.status();
  process.kill(connections.find(({ name }) => name === "mortal")?.pid ?? 0, "SIGKILL");
  await again.promise;
  assert.equal((await client.message(CALL).result).trace[0]?.result, 3);
});

test("it is offered again when the daemon behind the shim has gone", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect();
  await client.registerSkill<{ text: string }>(COUNT, count);
  const { pid } = await client.status();
  await home.program("stop", "--now");
  assert.notEqual((await client.status()).pid, pid);
  await eventually(() => has(client, "count-words"));
  assert.equal((await client.message(CALL).result).trace[0]?.result, 3);
});
