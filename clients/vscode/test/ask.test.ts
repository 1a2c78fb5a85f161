import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "./chat.js";
import { Home } from "./home.js";
import { Selection } from "./values.js";
import type { Window } from "./window.js";

/** The documents of the conversations, in the order in which they began. */
const pages = (window: Window): string[] => [...new Set(window.shown.map(({ document }) => document.uri.path))];

/** The text of the only one. */
function page(window: Window): string {
  const [path = "", ...more] = pages(window);
  assert.deepEqual(more, []);
  return window.text(path);
}

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
  assert.match(page(window), /^## call read-note.*\n\n.*✓ `read-note` \d+ ms\n\n.*quince/s);
  const { document, options } = window.shown[0] ?? assert.fail("nothing is shown");
  assert.match(document.uri.toString(), /^open-think:\/Helm [0-9a-f]{8}\.md$/);
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
  assert.deepEqual(
    sessions.map(({ messageCount }) => messageCount),
    [2, 4],
  );
  const [first = "", second = ""] = pages(window);
  assert.equal(window.text(first).match(/^## hello$/gm)?.length, 2);
  assert.equal(window.text(second).match(/^## hello$/gm)?.length, 1);
});

test("held actions are asked about in a notification, under their input", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, 'call write-note {"text":"medlar"}', "Approve");
  await window.run("ask");
  const asked = window.asked.find(({ kind }) => kind === "warning");
  assert.deepEqual(
    [asked?.message, asked?.items],
    ["Helm wants to run write-note.", ["Approve", "Deny", "Show Input"]],
  );
  assert.match(page(window), /```json\n\{\n {2}"text": "medlar"\n\}\n```\n\n_You approved/);
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("a notification that was passed by is asked again from the menu, with all of the input", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, 'call write-note {"text":"medlar"}');
  const asking = window.run("ask");
  await window.until(() => window.statusBar.text.includes("bell-dot"), "the question");
  const decide = /Decide What Is Held/;
  window.user = ({ kind, items }) => (kind === "pick" ? items.find(({ label }) => decide.test(label)) : "Deny");
  await window.run("menu");
  await asking;
  const dialog = window.asked.find(({ options }) => options.modal);
  assert.match(dialog?.options.detail, /write-note\n\{\n {2}"text": "medlar"\n\}/);
  assert.match(page(window), /You denied/);
  assert.equal(await home.notes(), "");
});

test("what is proposed can be approved afterwards", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.configure("mode", "propose");
  types(window, 'call write-note {"text":"medlar"}', "Approve");
  await window.run("ask");
  assert.equal(
    window.asked.find(({ items }) => items.includes("Approve"))?.message,
    "Helm has an action for you to decide.",
  );
  await window.until(() => page(window).includes("✓"), "what came of it");
  assert.match(page(window), /_You approved write-note\._/);
  assert.match(page(window), /\*\*Proposed\*\* `write-note`.*✓ `write-note`/s);
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("a notification shows the input of its own question, and decides that one", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const shown: ((button: string) => void)[] = [];
  window.user = ({ kind, options }) => {
    if (kind === "input") return 'call write-note {"text":"quince"}';
    if (kind !== "warning") return undefined;
    return options.modal ? "Approve" : new Promise<string>((resolve) => shown.push(resolve));
  };
  const first = new Chat(window).say('call write-note {"text":"medlar"}');
  await window.until(() => first.buttons.length === 2, "the first question");
  const second = window.run("ask");
  await window.until(() => shown.length === 1, "the second question");
  shown[0]?.("Show Input");
  await second;
  assert.equal(await home.notes(), '{"text":"quince"}');
  await first.press("Deny");
  await first.result;
});

test("what was passed by can be decided until something else is said", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.configure("mode", "propose");
  await window.run("approve");
  assert.equal(window.asked.at(-1)?.message, "Nothing waits for a decision.");
  types(window, 'call write-note {"text":"medlar"}');
  await window.run("ask");
  await new Chat(window).say('call write-note {"text":"quince"}').result;
  window.user = ({ kind, items, options }) => {
    if (kind === "pick") return items.find(({ detail }: { detail: string }) => detail.includes("quince"));
    return options.modal ? items[0] : undefined;
  };
  await window.run("approve");
  const [picked, dialog] = window.asked.filter(({ kind, options }) => kind === "pick" || options.modal);
  assert.deepEqual(
    picked?.items.map(({ label, detail }) => [label, detail]),
    [
      ["write-note", '{ "text": "medlar" }'],
      ["write-note", '{ "text": "quince" }'],
    ],
  );
  assert.deepEqual(dialog?.items, ["Approve"]);
  assert.equal(await home.notes(), '{"text":"quince"}');
  // Only one is left, which is not picked then.
  await window.run("deny");
  assert.match(window.text(pages(window)[0] ?? ""), /_You denied write-note\._/);
  await window.run("approve");
  assert.equal(window.asked.at(-1)?.message, "Nothing waits for a decision.");
  assert.equal(await home.notes(), '{"text":"quince"}');
});

test("a document that is closed keeps its text while its conversation goes on", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  types(window, "hello");
  await window.run("ask");
  window.close(pages(window)[0] ?? "");
  await window.run("ask");
  assert.equal(page(window).match(/^## hello$/gm)?.length, 2);
  await window.run("newConversation");
  await window.run("ask");
  const [first = "", second = ""] = pages(window);
  assert.match(window.text(first), /## hello/);
  window.close(first);
  assert.match(window.text(first), /is over, and no longer kept/);
  window.close(second);
  assert.match(window.text(second), /## hello/);
});

test("a document from before the window was loaded anew says that it is over", async (t) => {
  const home = await Home.make(t);
  const [before, after] = [home.start(), home.start()];
  for (const window of [before, after]) {
    types(window, "hello");
    await window.run("ask");
  }
  const [path = ""] = pages(before);
  assert.notEqual(path, pages(after)[0]);
  assert.match(after.text(path), /is over, and no longer kept/);
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
  assert.match(page(window), /_Interrupted\._/);
});
