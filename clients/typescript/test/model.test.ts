// Turns with a model's API that others wrote, on this machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import type { Client } from "open-think";

import { all, until } from "./collect.js";
import { Home } from "./home.js";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const isTooOld = major < 20 || (major === 20 && minor < 15);
const skip = isTooOld && "the mock of a model's API needs Node 20.15";

type Message = { role: string; content?: unknown };

async function connected(t: TestContext): Promise<Client> {
  // Ends before what its daemon talks to.
  const home = await Home.make(t);
  const { LLMock } = await import("@copilotkit/aimock");
  const mock = new LLMock({ port: 0, host: "127.0.0.1", strict: true });
  mock.on({ userMessage: "say hello" }, { content: "Hello from upstream, in several pieces." }, { chunkSize: 5 });
  mock.on({ userMessage: "talk slowly" }, { content: "word ".repeat(20) }, { chunkSize: 5, latency: 100 });
  const call = { name: "count-words", arguments: JSON.stringify({ text: "one two three" }) };
  mock.on({ userMessage: "count the words", hasToolResult: false }, { toolCalls: [call] });
  // It can only be right if it was really told.
  const quote = ({ messages }: { messages: Message[] }) => {
    const told = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
    return { content: `The skill said ${told.join()}.` };
  };
  mock.on({ userMessage: "count the words", hasToolResult: true }, quote, { chunkSize: 7 });
  await mock.start();
  t.after(() => mock.stop());
  return home.connect({
    env: {
      ...home.env,
      OPENAI_COMPATIBLE_URL: `${mock.url}/v1`,
      OPENAI_COMPATIBLE_KEY: "sk-test",
      OPENAI_COMPATIBLE_DEFAULT_MODEL: "test-model",
    },
  });
}

test("an answer streams in pieces", { skip }, async (t) => {
  const client = await connected(t);
  const turn = client.message({ content: "say hello", provider: "openai-compatible" });
  const pieces = (await all(turn)).flatMap((event) => (event.kind === "text-delta" ? [event.text] : []));
  assert.ok(pieces.length > 1, String(pieces.length));
  assert.equal(pieces.join(""), "Hello from upstream, in several pieces.");
  const { assistantMessage, providerUsed, modelUsed } = await turn.result;
  assert.deepEqual([providerUsed, modelUsed], ["openai-compatible", "test-model"]);
  assert.equal(assistantMessage?.content, pieces.join(""));
});

test("a model calls a skill of this program and reads what it gives", { skip }, async (t) => {
  const client = await connected(t);
  await client.registerSkill<{ text: string }>(
    { id: "count-words", description: "Counts the words of a text.", dangerous: false },
    ({ text }) => ({ words: text.split(" ").length }),
  );
  const { assistantMessage } = await client.message({
    content: "count the words",
    mode: "selective",
    provider: "openai-compatible",
  }).result;
  assert.match(assistantMessage?.content ?? "", /The skill said .*"words":3/);
});

test("an answer that streams is cancelled in the midst", { skip }, async (t) => {
  const client = await connected(t);
  const stop = new AbortController();
  const turn = client.message({ content: "talk slowly", provider: "openai-compatible" }, { signal: stop.signal });
  await until(turn, ({ kind }) => kind === "text-delta");
  stop.abort();
  await assert.rejects(turn.result, { code: "E_CANCELLED" });
  assert.deepEqual((await client.status()).runningTurns, []);
});
