import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, OpenThinkError } from "open-think";

import { Home } from "./home.js";

test("skills are listed and run", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect();
  assert.ok((await client.skills()).some(({ id, dangerous }) => id === "write-note" && dangerous));
  assert.deepEqual(await client.invoke("read-note", { name: "medlar" }), { name: "medlar" });
  await assert.rejects(client.invoke("write-note", { text: "no" }), { code: "E_APPROVAL_REQUIRED", number: -32016 });
  await client.invoke("write-note", { text: "yes" }, { confirm: true });
  assert.equal(await home.notes(), '{"text":"yes"}');
  const stop = new AbortController();
  const nap = client.invoke("take-a-nap", {}, { signal: stop.signal });
  await client.status();
  stop.abort();
  await assert.rejects(nap, { code: "E_CANCELLED" });
});

test("what the daemon says of itself", async (t) => {
  const client = await (await Home.make(t)).connect({ clientInfo: { name: "asker", version: "1" } });
  assert.equal(client.server.serverInfo.name, "open-think");
  assert.ok(client.server.capabilities.modes.includes("selective"));
  assert.ok((await client.providers()).some(({ id, default: isDefault }) => id === "offline" && isDefault));
  assert.deepEqual(await client.models("offline"), []);
  assert.equal((await client.status()).connections[0]?.name, "asker");
  assert.equal((await client.codex.status()).configured, false);
  await assert.rejects(client.codex.rpc("thread/list"), (error: OpenThinkError) => error.code.startsWith("E_"));
  assert.equal((await client.request("oauth.codex.deviceStart", {})).status, "pending_configuration");
  const document = (await client.request("rpc.discover", {})) as { openrpc: string };
  assert.match(document.openrpc, /^1\./);
});

test("errors say what to branch on and what to do", async (t) => {
  const client = await (await Home.make(t)).connect();
  const message = client.message({ content: "hello", provider: "anthropic" });
  await assert.rejects(message.result, (error: OpenThinkError) => {
    assert.ok(error instanceof OpenThinkError && error.hint?.includes("ANTHROPIC_API_KEY"), String(error.hint));
    assert.deepEqual([error.code, error.number, error.retryable], ["E_NO_PROVIDER", -32010, false]);
    assert.equal(error.data?.code, error.code);
    return true;
  });
  await assert.rejects(client.invoke("raed-note"), { code: "E_SKILL_UNAVAILABLE", number: -32015 });
  await assert.rejects(client.request("providers.models", {} as never), { code: "E_BAD_REQUEST" });
  await assert.rejects(client.request("skills.lsit" as never, {} as never), { code: "E_NOT_FOUND", number: -32601 });
});

test("a client that is closed fails what is under way, and what is asked of it later", async (t) => {
  const client = await (await Home.make(t)).connect();
  const nap = client.message({ content: "call take-a-nap {}", mode: "auto" });
  for await (const { kind } of nap) if (kind === "tool-use-stop") break;
  const watching = await client.subscribe("s");
  await client.close();
  await assert.rejects(nap.result, { code: "E_CLOSED" });
  for await (const event of watching) assert.fail(event.event.kind);
  await assert.rejects(client.status(), { code: "E_CLOSED" });
  await assert.rejects(client.message({ content: "hello" }).result, { code: "E_CLOSED" });
  await assert.rejects(client.subscribe("s"), { code: "E_CLOSED" });
  await client.close();
});

test("what keeps a client from connecting is said", async (t) => {
  const home = await Home.make(t);
  await assert.rejects(connect({ command: home.path("nothing") }), { code: "E_CONNECT", retryable: false });
  await assert.rejects(connect({ socket: home.path("nothing.sock") }), { code: "E_CONNECT" });
  await assert.rejects(home.connect({ env: { ...home.env, ENABLED_PLUGINS: "oflfine" } }), (error: OpenThinkError) => {
    assert.deepEqual(error.code, "E_CONNECT");
    assert.match(error.message, /oflfine/);
    return true;
  });
});

test("a profile has a daemon of its own", async (t) => {
  const home = await Home.make(t);
  const [common, other] = [await home.connect(), await home.connect({ profile: "other" })];
  assert.notEqual((await common.status()).pid, (await other.status()).pid);
  await other.request("daemon.stop", { when: "now" });
});
