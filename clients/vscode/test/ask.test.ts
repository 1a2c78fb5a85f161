import assert from "node:assert/strict";
import { test } from "node:test";

import { Home } from "./home.js";
import { Selection } from "./values.js";
import type { Window } from "./window.js";

const PAGE = "/Helm 1.md";

/** Types this in wherever something is asked, and presses the button. */
function types(window: Window, text: string, button?: string): void {
  window.user = ({ kind, items }) => {
    if (kind === "input") return text;
    return items.includes(button) ? button : undefined;
  };
}

test("without a chat view an answer streams into a document", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  delete window.module.chat;
  home.activate(window);
  types(window, 'call read-note {"name":"quince"}');
  await window.run("ask");
  assert.match(window.text(PAGE), /^## call read-note.*\n\n.*✓ `read-note` \d+ ms\n\n.*quince/s);
  const { document, options } = window.shown[0] ?? assert.fail("nothing is shown");
  assert.equal(document.uri.toString(), `open-think:${PAGE}`);
  assert.deepEqual(options, { preview: false, preserveFocus: true, viewColumn: -2 });
  assert.ok(window.progress.includes("Running read-note"));
});

test("the selection goes along with a question about it", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.edit(await home.file("a.ts", "one\ntwo\n"), new Selection(0, 0, 1, 0));
  types(window, "Explain this.");
  await window.run("askAboutSelection");
  const client = await home.connect();
  const [session] = await client.sessions.list();
  const [said] = await client.sessions.messages(session?.sessionName ?? "");
  assert.equal(said?.content, "Explain this.\n\na.ts, lines 1 to 1:\n```typescript\none\n```");
  window.edit(await home.file("b.ts", "one"));
  await window.run("askAboutSelection");
  assert.equal(window.asked.at(-1)?.message, "Select something in an editor first.");
});

test("a conversation goes on until a new one is begun", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, "hello");
  await window.run("ask");
  await window.run("ask");
  await window.run("newConversation");
  await window.run("ask");
  const sessions = await (await home.connect()).sessions.list();
  assert.deepEqual(sessions.map(({ messageCount }) => messageCount), [2, 4]);
  assert.equal(window.text(PAGE).match(/^## hello$/gm)?.length, 2);
  assert.equal(window.text("/Helm 2.md").match(/^## hello$/gm)?.length, 1);
});

test("held actions are asked about in a notification, under their input", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, 'call write-note {"text":"medlar"}', "Approve");
  await window.run("ask");
  const asked = window.asked.find(({ kind }) => kind === "warning");
  assert.deepEqual([asked?.message, asked?.items], ["Helm wants to run write-note.", ["Approve", "Deny", "Show Input"]]);
  assert.match(window.text(PAGE), /```json\n\{\n {2}"text": "medlar"\n\}\n```\n\n_You approved/);
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("a notification that was passed by is asked again from the menu, with all of the input", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, 'call write-note {"text":"medlar"}');
  const asking = window.run("ask");
  await window.until(() => window.statusBar.text.includes("bell-dot"), "the question");
  window.user = ({ kind, items }) => (kind === "pick" ? items[0] : "Deny");
  await window.run("menu");
  await asking;
  const dialog = window.asked.find(({ options }) => options.modal);
  assert.match(dialog?.options.detail, /write-note\n\{\n {2}"text": "medlar"\n\}/);
  assert.match(window.text(PAGE), /You denied/);
  assert.equal(await home.notes(), "");
});

test("what is proposed can be approved afterwards", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.configure("mode", "propose");
  types(window, 'call write-note {"text":"medlar"}', "Approve");
  await window.run("ask");
  assert.equal(window.asked.at(-1)?.message, "Helm has an action for you to decide.");
  assert.match(window.text(PAGE), /\*\*Proposed\*\* `write-note`.*✓ `write-note`/s);
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("an interrupt ends the turns of this window", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await window.run("interrupt");
  assert.equal(window.asked.at(-1)?.message, "Helm does nothing for this window.");
  types(window, "call take-a-nap {}");
  const asking = window.run("ask");
  await window.until(() => window.progress.includes("Running take-a-nap"), "the call");
  await window.run("interrupt");
  await asking;
  assert.match(window.text(PAGE), /_Interrupted\._/);
});
