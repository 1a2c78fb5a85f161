import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "./chat.js";
import { Home } from "./home.js";
import { Location, Range, Uri } from "./values.js";

const WRITE = 'call write-note {"text":"medlar"}';
const NAP = "call take-a-nap {}";

test("an answer streams and ends", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const reply = new Chat(window).say('call read-note {"name":"quince"}');
  const { metadata, errorDetails } = await reply.result;
  assert.equal(errorDetails, undefined);
  assert.match(metadata.sessionName, /^vscode:/);
  assert.match(reply.text, /✓ `read-note` \d+ ms\n\n/);
  assert.match(reply.text, /quince/);
  assert.ok(reply.progress.includes("Running read-note"), reply.progress.join());
  assert.deepEqual(metadata.actionIds, []);
});

test("a chat goes on in its session, and another has its own", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const [one, other] = [new Chat(window), new Chat(window)];
  const first = await one.say("hello").result;
  const second = await one.say("hello again").result;
  const third = await other.say("hello").result;
  assert.equal(first.metadata.sessionName, second.metadata.sessionName);
  assert.notEqual(first.metadata.sessionName, third.metadata.sessionName);
  const client = await home.connect();
  assert.equal((await client.sessions.messages(first.metadata.sessionName)).length, 4);
});

test("what is held has buttons under all of its input, and runs when it is approved", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const reply = new Chat(window).say(WRITE);
  await window.until(() => reply.buttons.length === 2, "both buttons");
  assert.match(
    reply.text,
    /\*\*Helm wants to run\*\* `write-note`.*\n\n```json\n\{\n {2}"text": "medlar"\n\}\n```\n\n$/,
  );
  assert.match(window.statusBar.text, /bell-dot/);
  assert.equal(await home.notes(), "");
  await reply.press("Approve");
  await reply.result;
  assert.match(reply.text, /_You approved\._/);
  assert.equal(await home.notes(), '{"text":"medlar"}');
  await reply.press("Deny");
  assert.equal(window.asked.at(-1)?.message, "You approved.");
});

test("what is denied does not run", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const reply = new Chat(window).say(WRITE);
  await reply.press("Deny");
  await reply.result;
  assert.match(reply.text, /You denied.*✗ `write-note`/s);
  assert.equal(await home.notes(), "");
});

for (const [decision, how] of [
  ["approve", "approved"],
  ["deny", "denied"],
] as const) {
  test(`what another client has ${how} is said, and the buttons do nothing more`, async (t) => {
    const home = await Home.make(t);
    const window = home.start();
    const client = await home.connect();
    const reply = new Chat(window).say(WRITE);
    await window.until(() => reply.buttons.length === 2, "both buttons");
    const sessionName = (await client.status()).sessions[0]?.sessionName ?? "";
    const { heldActions } = await client.sessions.get(sessionName);
    await client.approve({ sessionName, actionIds: heldActions.map(({ id }) => id), decision }).result;
    await reply.result;
    assert.ok(reply.text.includes(`_Another client ${how}._`), reply.text);
    await reply.press(decision === "approve" ? "Deny" : "Approve");
    assert.equal(window.asked.at(-1)?.message, `Another client ${how}.`);
    assert.equal(await home.notes(), decision === "approve" ? '{"text":"medlar"}' : "");
  });
}

test("a proposal is followed by ways to decide it", async (t) => {
  const home = await Home.make(t);
  const chat = new Chat(home.start());
  const proposed = chat.say(WRITE, { command: "propose" });
  const result = await proposed.result;
  assert.match(proposed.text, /\*\*Proposed\*\* `write-note`/);
  assert.equal(await home.notes(), "");
  const [approve, deny] = chat.followups(result);
  assert.deepEqual([approve.label, approve.command, deny.command], ["Run it", "approve", "deny"]);
  const approved = await chat.say(approve.prompt, { command: approve.command }).result;
  assert.equal(await home.notes(), '{"text":"medlar"}');
  assert.deepEqual(chat.followups(approved), []);
  const nothing = chat.say("again", { command: "approve" });
  await nothing.result;
  assert.match(nothing.text, /Nothing waits/);
});

test("in auto nothing is asked", async (t) => {
  const home = await Home.make(t);
  const reply = new Chat(home.start()).say(WRITE, { command: "auto" });
  await reply.result;
  assert.deepEqual(reply.buttons, []);
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("a cancelled request ends its turn", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const reply = new Chat(window).say(NAP);
  await window.until(() => reply.progress.includes("Running take-a-nap"), "the call");
  assert.match(window.statusBar.text, /sync~spin/);
  assert.equal(window.context.get("openThink.working"), true);
  reply.cancel();
  assert.equal((await reply.result).errorDetails, undefined);
  assert.deepEqual((await (await home.connect()).status()).runningTurns, []);
});

test("files and selections go along", async (t) => {
  const home = await Home.make(t);
  const file = await home.file("a.ts", "one\ntwo\n```\nthree\n");
  const chat = new Chat(home.start());
  const references = [
    { id: "1", value: Uri.file(file) },
    { id: "2", value: new Location(Uri.file(file), new Range(1, 0, 2, 0)) },
    { id: "3", value: Uri.file(home.path("project/none.ts")) },
    { id: "4", value: { newer: true }, modelDescription: "A picture" },
  ];
  const { metadata } = await chat.say("look at these", { references }).result;
  const [said] = await (await home.connect()).sessions.messages(metadata.sessionName);
  assert.ok(said?.content.includes("a.ts:\n````typescript\none\ntwo\n```\nthree\n````"), said?.content);
  assert.ok(said?.content.includes("a.ts, lines 2 to 2:\n```typescript\ntwo\n```"), said?.content);
  assert.ok(said?.content.includes("(none.ts cannot be read as text.)"), said?.content);
  assert.ok(said?.content.includes("(A picture cannot be sent along.)"), said?.content);
});

test("where nothing is said there is help, and nothing is started", async (t) => {
  const window = (await Home.make(t)).start();
  const reply = new Chat(window).say(" ", { command: "auto" });
  assert.equal((await reply.result).errorDetails, undefined);
  assert.match(reply.text, /@helm check runtime health.*\n\n- `\/propose` Plan only\n/);
  assert.match(window.statusBar.text, /circle-slash/);
});

test("what goes wrong is said with its way out", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.configure("provider", "nobody");
  const { errorDetails } = await new Chat(window).say("hello").result;
  assert.match(errorDetails.message, /^There is no provider|nobody/i);
});
