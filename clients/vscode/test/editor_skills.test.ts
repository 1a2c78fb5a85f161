import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";

import type { Client } from "open-think";
import { ResponseError } from "vscode-jsonrpc/node";

import { fake, result } from "../../typescript/test/fake.js";
import { Chat } from "./chat.js";
import { Home } from "./home.js";
import { through } from "./through.js";
import { Document, Range, Selection, Uri } from "./values.js";
import { saved, Window } from "./window.js";

const HAS = "info Helm has the skills of this window";
const IDS = ["editor-apply-edit", "editor-list-diagnostics", "editor-open-file", "editor-read-selection"];

const offers = (window: Window, times = 1) =>
  window.until(() => window.output.filter((line) => line === HAS).length >= times, "the skills");

/** A window that is connected, and somebody else who calls its skills. */
async function working(t: TestContext): Promise<{ home: Home; window: Window; client: Client }> {
  const home = await Home.make(t);
  const window = home.window();
  window.settings.set("connectOnStartup", true);
  home.activate(window);
  await offers(window);
  return { home, window, client: await home.connect() };
}

async function offered(client: Client): Promise<string[]> {
  const skills = await client.skills();
  return skills
    .filter(({ id }) => id.startsWith("editor-"))
    .map(({ id }) => id)
    .sort();
}

test("Helm has the skills of the editor, of which one is dangerous", async (t) => {
  const { client } = await working(t);
  const skills = (await client.skills()).filter(({ id }) => id.startsWith("editor-"));
  assert.deepEqual(skills.map(({ id }) => id).sort(), IDS);
  assert.deepEqual(
    skills.filter(({ dangerous }) => dangerous).map(({ id }) => id),
    ["editor-apply-edit"],
  );
  assert.ok(
    skills.every(({ plugin }) => plugin === "client:vscode"),
    JSON.stringify(skills),
  );
});

test("a file is opened at a line", async (t) => {
  const { home, window, client } = await working(t);
  const path = await home.file("a.ts", "one\ntwo\nthree\n");
  assert.deepEqual(await client.invoke("editor-open-file", { path: "a.ts", line: 2 }), { path: "a.ts", line: 2 });
  const { document, options } = window.shown.at(-1) ?? assert.fail("nothing is shown");
  assert.deepEqual([document.uri.fsPath, options.selection.start.line], [path, 1]);
  assert.deepEqual(await client.invoke("editor-open-file", { path }), { path: "a.ts" });
});

test("the selection is read with its place", async (t) => {
  const { home, window, client } = await working(t);
  await assert.rejects(client.invoke("editor-read-selection", {}), /no file is open/);
  window.edit(await home.file("a.ts", "one\ntwo\nthree\n"), new Selection(1, 0, 2, 3));
  const selection = { path: "a.ts", languageId: "typescript", text: "two\nthr", startLine: 2, endLine: 3 };
  assert.deepEqual(await client.invoke("editor-read-selection", {}), selection);
});

test("the selection and the diagnostics of files outside the workspace are not told", async (t) => {
  const { home, window, client } = await working(t);
  await writeFile(home.path("secret"), "one");
  await symlink(home.path("secret"), home.path("project/link"));
  const untitled = Uri.from({ scheme: "untitled", path: "Untitled-1" });
  const secrets = [
    Uri.file(home.path("secret")),
    Uri.file(home.path("project/link")),
    Uri.from({ scheme: "output", path: "log" }),
    Uri.from({ scheme: "git", path: home.path("project/a.ts") }),
  ];
  for (const uri of secrets) {
    window.editor = { document: new Document(uri, "one"), selection: new Selection(0, 0, 0, 3) };
    await assert.rejects(client.invoke("editor-read-selection", {}), /outside the workspace/, `${uri}`);
    window.diagnostics.push([uri, [{ range: new Range(0, 0, 0, 1), severity: 0, message: "no" }]]);
  }
  assert.deepEqual(await client.invoke("editor-list-diagnostics", {}), { diagnostics: [] });
  window.editor = { document: new Document(untitled, "one"), selection: new Selection(0, 0, 0, 3) };
  assert.equal(((await client.invoke("editor-read-selection", {})) as { text: string }).text, "one");
});

test("diagnostics are listed, the worst first", async (t) => {
  const { home, window, client } = await working(t);
  const [one, other] = [Uri.file(await home.file("a.ts", "a")), Uri.file(await home.file("b.ts", "b"))];
  window.diagnostics.push(
    [one, [{ range: new Range(4, 0, 4, 1), severity: 1, message: "hm", source: "lint" }]],
    [other, [{ range: new Range(0, 0, 0, 1), severity: 0, message: "no" }]],
  );
  const [hm, no] = [
    { path: "a.ts", line: 5, severity: "warning", message: "hm", source: "lint" },
    { path: "b.ts", line: 1, severity: "error", message: "no" },
  ];
  assert.deepEqual(await client.invoke("editor-list-diagnostics", {}), { diagnostics: [no, hm] });
  assert.deepEqual(await client.invoke("editor-list-diagnostics", { path: "a.ts" }), { diagnostics: [hm] });
});

test("an edit replaces what stands there once, and is saved where nothing else was unsaved", async (t) => {
  const { home, window, client } = await working(t);
  const path = await home.file("a.ts", "one\r\ntwo\r\ntwo\r\n");
  const edit = (oldText: string, newText: string) =>
    client.invoke("editor-apply-edit", { path: "a.ts", oldText, newText }, { confirm: true });
  await assert.rejects(client.invoke("editor-apply-edit", { path, oldText: "one", newText: "1" }), {
    code: "E_APPROVAL_REQUIRED",
  });
  await assert.rejects(edit("two", "2"), /more than once/);
  await assert.rejects(edit("three", "3"), /not in the file/);
  await assert.rejects(edit("", "3"), /not in the file/);
  assert.deepEqual(await edit("one\ntwo", "1\n2"), { path: "a.ts", line: 1, saved: true });
  assert.equal(saved(path), "1\r\n2\r\ntwo\r\n");
  window.open(Uri.file(path)).isDirty = true;
  assert.deepEqual(await edit("two", "3"), { path: "a.ts", line: 3, saved: false });
  assert.equal(window.open(Uri.file(path)).getText(), "1\r\n2\r\n3\r\n");
  assert.equal(saved(path), "1\r\n2\r\ntwo\r\n");
  Object.assign(window.open(Uri.file(path)), { isDirty: false, isWritable: false });
  assert.deepEqual(await edit("3", "4"), { path: "a.ts", line: 3, saved: false });
});

test("files that decide what runs are not edited", async (t) => {
  const { home, client } = await working(t);
  await mkdir(home.path("project/.git/hooks"), { recursive: true });
  await mkdir(home.path("project/inner/.VSCode"), { recursive: true });
  const files = [".git/hooks/pre-commit", "inner/.VSCode/tasks.json", ".envrc", "all.code-workspace"];
  for (const file of files) await home.file(file, "one");
  await symlink(home.path("project/.git"), home.path("project/way"));
  for (const path of [...files, "way/hooks/pre-commit"]) {
    const edit = client.invoke("editor-apply-edit", { path, oldText: "one", newText: "two" }, { confirm: true });
    await assert.rejects(edit, /the user has to edit it/, path);
  }
  for (const file of files) assert.equal(saved(home.path(`project/${file}`)), "one");
  await home.file(".gitignore", "one");
  await client.invoke("editor-apply-edit", { path: ".gitignore", oldText: "one", newText: "two" }, { confirm: true });
  assert.equal(saved(home.path("project/.gitignore")), "two");
});

test("files outside the workspace are out of reach", async (t) => {
  const { home, client } = await working(t);
  await writeFile(home.path("secret"), "one");
  await symlink(home.path("secret"), home.path("project/link"));
  for (const path of ["../secret", home.path("secret"), "link", "x/../../secret", "..", "../none"]) {
    await assert.rejects(client.invoke("editor-open-file", { path }), /outside the workspace/, path);
    const edit = { path, oldText: "one", newText: "two" };
    await assert.rejects(client.invoke("editor-apply-edit", edit, { confirm: true }), /outside the workspace/, path);
  }
  await assert.rejects(client.invoke("editor-open-file", { path: "none" }), /there is no file none/);
  assert.equal(saved(home.path("secret")), "one");
});

test("with several folders a path may begin with the name of one", async (t) => {
  const { home, window, client } = await working(t);
  await mkdir(home.path("other"));
  await writeFile(home.path("other/b.ts"), "b");
  window.folder(home.path("other"));
  assert.deepEqual(await client.invoke("editor-open-file", { path: "other/b.ts" }), { path: "other/b.ts" });
  assert.deepEqual(await client.invoke("editor-open-file", { path: "b.ts" }), { path: "other/b.ts" });
});

test("Helm edits a file by itself once that is approved", async (t) => {
  const { home, window } = await working(t);
  const path = await home.file("a.ts", "one\n");
  const input = JSON.stringify({ path: "a.ts", oldText: "one", newText: "two" });
  const reply = new Chat(window).say(`call editor-apply-edit ${input}`);
  await window.until(() => reply.buttons.length === 2, "both buttons");
  assert.equal(saved(path), "one\n");
  assert.ok(reply.text.includes("In `a.ts`\n\n```\none\n```\n\nbecomes\n\n```\ntwo\n```\n"), reply.text);
  await reply.press("Approve");
  await reply.result;
  assert.match(reply.text, /✓ `editor-apply-edit`/);
  assert.equal(saved(path), "two\n");
});

test("a setting takes the skills away and gives them back", async (t) => {
  const { window, client } = await working(t);
  window.configure("editorSkills", false);
  // What was asked for before is done before.
  await until(async () => (await offered(client)).length === 0);
  window.configure("editorSkills", true);
  await offers(window, 2);
  assert.deepEqual(await offered(client), IDS);
});

/** Another one, with a folder and a file of its own. */
async function beside(home: Home, settings: Record<string, unknown> = {}): Promise<Window> {
  const window = home.window();
  await mkdir(home.path("second"));
  await writeFile(home.path("second/b.ts"), "b");
  window.folders = [];
  window.folder(home.path("second"));
  for (const [name, value] of Object.entries({ connectOnStartup: true, ...settings })) window.settings.set(name, value);
  home.activate(window);
  return window;
}

test("of two windows each has its own skills in its turns, and others have those of the first", async (t) => {
  const { home, window: first, client } = await working(t);
  await home.file("a.ts", "a");
  const second = await beside(home);
  await offers(second);
  const turns = [new Chat(first).say('call editor-open-file {"path":"a.ts"}')];
  turns.push(new Chat(second).say('call editor-open-file {"path":"b.ts"}'));
  for (const turn of turns) await turn.result;
  for (const { text } of turns) assert.match(text, /✓ `editor-open-file`/);
  assert.deepEqual(await client.invoke("editor-open-file", { path: "a.ts" }), { path: "a.ts" });
  assert.deepEqual(await offered(client), IDS);
  assert.deepEqual([first.shown.length, second.shown.length], [2, 1]);
  assert.deepEqual([...first.asked, ...second.asked], []);
});

test("the turns of a window that offers nothing do not reach into another", async (t) => {
  const { home, window: first } = await working(t);
  const second = await beside(home, { editorSkills: false });
  const refused = new Chat(second).say("call editor-read-selection");
  await refused.result;
  assert.match(refused.text, /✗ `editor-read-selection` .*offers no skills/);
  assert.deepEqual(first.shown, []);
});

test("a daemon that goes while it is told of the skills is told again", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const told: string[] = [];
  const going = { code: "E_SHUTTING_DOWN", message: "It stops.", retryable: true, requestId: "r" };
  through(
    window,
    await fake(t, {
      "skills.register": ({ skills }) => {
        told.push(skills[0].id);
        return told.length === 1 ? new ResponseError(-32802, "It stops.", going) : { registered: [skills[0].id] };
      },
    }),
  );
  window.settings.set("connectOnStartup", true);
  home.activate(window);
  await offers(window);
  assert.deepEqual([told.slice(0, 4).sort(), told.slice(4).sort()], [IDS, IDS]);
});

test("the first turn of a window has the skills of the editor", async (t) => {
  const home = await Home.make(t);
  await home.file("a.ts", "a");
  const reply = new Chat(home.start()).say('call editor-open-file {"path":"a.ts"}');
  await reply.result;
  assert.match(reply.text, /✓ `editor-open-file`/);
});

test("a turn is sent once the daemon has the skills, and does not wait for it for ever", async (t) => {
  for (const answers of [true, false]) {
    const home = await Home.make(t);
    const window = home.window();
    const told: string[] = [];
    const socket = await fake(t, {
      "skills.register": async ({ skills }) => {
        await new Promise((resolve) => setImmediate(resolve));
        told.push("skills.register");
        return answers ? { registered: [skills[0].id] } : new Promise(() => undefined);
      },
      "conductor.message": () => (told.push("conductor.message"), result("t")),
    });
    through(window, socket);
    home.activate(window);
    const { errorDetails } = await new Chat(window).say("hello").result;
    assert.equal(errorDetails, undefined, errorDetails?.message);
    assert.deepEqual(told, [...IDS.map(() => "skills.register"), "conductor.message"]);
  }
});

test("when a window closes its skills are gone", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  window.settings.set("connectOnStartup", true);
  const end = home.activate(window);
  await offers(window);
  const client = await home.connect();
  await end();
  await until(async () => (await offered(client)).length === 0);
});

/** Asks until it is so; the daemon's answers are what it waits for. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) assert.ok(Date.now() < deadline, "it is not so");
}
