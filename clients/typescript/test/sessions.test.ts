import assert from "node:assert/strict";
import { test } from "node:test";

import { eventually, until } from "./collect.js";
import { Home } from "./home.js";

const isDone = ({ event }: { event: { kind: string } }): boolean => event.kind === "loop-done";

test("two clients share a session", async (t) => {
  const home = await Home.make(t);
  const [watcher, speaker] = [await home.connect(), await home.connect()];
  const live = await watcher.subscribe("s");
  const { turnId } = await speaker.message({ content: "hello", sessionName: "s" }).result;
  const seen = await until(live, isDone);
  assert.ok(seen.every((event) => event.turnId === turnId));
  assert.deepEqual(await watcher.status().then(({ pid }) => pid), (await speaker.status()).pid);

  const replayed = await until(await watcher.subscribe("s", { afterSeq: 0 }), isDone);
  assert.equal(replayed.at(-1)?.seq, seen.at(-1)?.seq);
  assert.equal(live.seq, seen.at(-1)?.seq);
});

test("several readers in one client get each event once", async (t) => {
  const client = await (await Home.make(t)).connect();
  const first = await client.subscribe("s");
  await client.message({ content: "hello", sessionName: "s" }).result;
  const second = await client.subscribe("s", { afterSeq: 0 });
  await client.message({ content: "hello again", sessionName: "s" }).result;
  let done = 0;
  const isSecond = (item: { event: { kind: string } }): boolean => isDone(item) && (done += 1) % 2 === 0;
  const told = [await until(first, isSecond), await until(second, isSecond)];
  for (const events of told) {
    const numbers = events.map(({ seq }) => seq);
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  }
  assert.equal(told[0]?.at(-1)?.seq, told[1]?.at(-1)?.seq);
});

test("leaving the loop ends the subscription", async (t) => {
  const client = await (await Home.make(t)).connect({ clientInfo: { name: "leaver" } });
  const subscription = await client.subscribe("s");
  const watched = async () => (await client.status()).connections.flatMap(({ subscriptions }) => subscriptions);
  assert.deepEqual(await watched(), ["s"]);
  await client.message({ content: "hello", sessionName: "s" }).result;
  await until(subscription, () => true);
  assert.deepEqual(await watched(), []);
});

test("sessions are listed, read and deleted", async (t) => {
  const client = await (await Home.make(t)).connect();
  await client.message({ content: "hello", sessionName: "s" }).result;
  assert.deepEqual((await client.sessions.list()).map(({ sessionName }) => sessionName), ["s"]);
  const messages = await client.sessions.messages("s", { limit: 2 });
  assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant"]);
  assert.equal(await client.sessions.delete("s"), true);
  assert.equal(await client.sessions.delete("s"), false);
});

test("what goes out of scope is closed", async (t) => {
  const home = await Home.make(t);
  const watcher = await home.connect({ clientInfo: { name: "watcher" } });
  const names = async () => new Set((await watcher.status()).connections.map(({ name }) => name));
  {
    await using client = await home.connect({ clientInfo: { name: "guest" } });
    await using subscription = await client.subscribe("s");
    await using turn = client.message({ content: "call take-a-nap {}", mode: "auto", sessionName: "s" });
    await until(subscription, ({ event }) => event.kind === "tool-use-stop");
    assert.ok((await names()).has("guest"), turn.sessionName);
  }
  assert.deepEqual((await watcher.status()).runningTurns, []);
  await eventually(async () => !(await names()).has("guest"));
});
