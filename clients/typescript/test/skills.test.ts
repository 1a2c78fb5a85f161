import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { ClientSkill, SkillContext } from "open-think";
import { connect } from "open-think";
import type { MessageConnection } from "vscode-jsonrpc/node";
import { CancellationTokenSource, ResponseError } from "vscode-jsonrpc/node";

import { promised } from "./collect.js";
import { fake } from "./fake.js";

const SKILL = { id: "count-words", description: "Counts the words of a text." };
const CALL = { skill: SKILL.id, input: { text: "one two" }, sessionName: "s", turnId: "t", deadlineMs: 60_000 };

/** A client of a daemon that takes every skill but those of its `own`, and what it is told of them. */
async function offering(t: Parameters<typeof fake>[0]) {
  const told: [string, object][] = [];
  const own: string[] = [];
  const connected = promised<MessageConnection>();
  const socket = await fake(t, {
    initialize: (params, peer) => {
      told.push(["initialize", params.capabilities]);
      connected.resolve(peer);
      return { capabilities: { protocolVersion: "1.0", methods: [], modes: [] }, serverInfo: { name: "fake", version: "1" } };
    },
    "skills.register": ({ skills }) => {
      told.push(["register", skills]);
      if (skills.some(({ id }: ClientSkill) => own.includes(id))) return new ResponseError(-32602, "it is the daemon's own");
      return { registered: [SKILL.id] };
    },
    "skills.unregister": ({ skills }) => {
      told.push(["unregister", skills]);
      return { registered: [] };
    },
  });
  const client = await connect({ socket });
  t.after(() => client.close());
  return { client, told, own, peer: await connected.promise };
}

test("a skill is offered, called and taken back", async (t) => {
  const { client, told, peer } = await offering(t);
  const contexts: SkillContext[] = [];
  const skill = await client.registerSkill<{ text: string }>(
    { ...SKILL, inputSchema: { type: "object" }, dangerous: false, timeoutMs: 500 },
    async ({ text }, context) => {
      contexts.push(context);
      return text.split(" ").length;
    },
  );
  assert.deepEqual(await peer.sendRequest("skills.call", CALL), { output: 2 });
  const [context] = contexts;
  assert.deepEqual([context?.sessionName, context?.turnId, context?.signal.aborted], ["s", "t", false]);
  await skill.dispose();
  await skill.dispose();
  await assert.rejects(peer.sendRequest("skills.call", CALL), { message: "count-words is no longer offered" });
  assert.deepEqual(told, [
    ["initialize", { approvals: false, skills: true }],
    ["register", [{ ...SKILL, inputSchema: { type: "object" }, dangerous: false, timeoutMs: 500 }]],
    ["unregister", [SKILL.id]],
  ]);
});

test("the model reads what an error says, and nothing of where it was thrown", async (t) => {
  const { client, peer } = await offering(t);
  const faults: [unknown, string][] = [
    [new TypeError("there is no such file"), "there is no such file"],
    [new RangeError(""), "RangeError"],
    ["a word", "a word"],
  ];
  for (const [fault, message] of faults) {
    await client.registerSkill(SKILL, () => {
      throw fault;
    });
    await assert.rejects(peer.sendRequest("skills.call", CALL), { code: -32803, message, data: undefined });
  }
});

test("what is no JSON is a fault of the skill's, and nothing means null", async (t) => {
  const { client, peer } = await offering(t);
  await client.registerSkill(SKILL, () => undefined);
  assert.deepEqual(await peer.sendRequest("skills.call", CALL), { output: null });
  for (const output of [1n, () => 1]) {
    await client.registerSkill(SKILL, () => output);
    await assert.rejects(peer.sendRequest("skills.call", CALL), /what the skill gives cannot be written as JSON/);
  }
  await assert.rejects(client.invoke("count-words", { text: 1n }), { code: "E_BAD_REQUEST" });
  assert.deepEqual(await client.request("shutdown", {}), {}, "the connection has not suffered");
});

test("a handler hears that its answer no longer counts", async (t) => {
  const { client, peer } = await offering(t);
  let heard = promised<SkillContext>();
  await client.registerSkill(SKILL, (_, context) => {
    heard.resolve(context);
    return new Promise(() => undefined);
  });

  const source = new CancellationTokenSource();
  const cancelled = peer.sendRequest("skills.call", CALL, source.token);
  const first = (await heard.promise).signal;
  source.cancel();
  await assert.rejects(cancelled);
  assert.match(String(first.reason), /no longer asks/);

  heard = promised();
  const late = peer.sendRequest("skills.call", { ...CALL, deadlineMs: 1 });
  await assert.rejects(late, { message: "the time is up" });
  assert.equal((await heard.promise).signal.aborted, true);

  heard = promised();
  peer.sendRequest("skills.call", CALL).catch(() => undefined);
  const { signal } = await heard.promise;
  const aborted = once(signal, "abort");
  peer.end();
  await aborted;
  assert.match(String(signal.reason), /connection is lost/);
});

test("a skill that is registered again takes the place of the first", async (t) => {
  const { client, told, peer } = await offering(t);
  const first = await client.registerSkill(SKILL, () => "first");
  await client.registerSkill(SKILL, () => "second");
  await first.dispose();
  assert.deepEqual(await peer.sendRequest("skills.call", CALL), { output: "second" });
  assert.deepEqual(told.filter(([what]) => what === "unregister"), []);
});

test("one that the daemon has itself by now is warned of, and the rest is offered again", async (t) => {
  const { client, told, own, peer } = await offering(t);
  const skills = [SKILL, { ...SKILL, id: "shout" }];
  for (const skill of skills) await client.registerSkill(skill, () => null);
  own.push(SKILL.id);
  told.length = 0;
  const warned = once(process, "warning");
  peer.end();
  const [warning] = await warned;
  assert.equal(String(warning), "Warning: the skill count-words is no longer offered: it is the daemon's own");
  await client.request("shutdown", {});
  assert.deepEqual(told.slice(1), skills.map((skill) => ["register", [skill]]));
});
