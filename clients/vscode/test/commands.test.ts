import assert from "node:assert/strict";
import { test } from "node:test";

import { fake } from "../../typescript/test/fake.js";
import { Home } from "./home.js";
import { through } from "./through.js";
import type { Window } from "./window.js";

const picks = (label: RegExp, then: Window["user"] = () => undefined): Window["user"] => (asked) =>
  asked.kind === "pick" ? asked.items.find((item: { label: string }) => label.test(item.label)) : then(asked);

test("a skill is picked, given its input and run", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.user = picks(/^read-note$/, ({ kind, options }) => {
    if (kind !== "input") return undefined;
    assert.equal(options.value, '{"name":""}');
    const faults: string[] = ["{", "[]", "{}", '{"name":"quince"}'].map(options.validateInput);
    assert.match(faults[0] ?? "", /JSON/);
    assert.deepEqual(faults.slice(1), ["An object is needed, as in {}.", "Missing: name", undefined]);
    return '{"name":"quince"}';
  });
  await window.run("invokeSkill");
  assert.equal(window.text("/read-note.json"), '{\n  "name": "quince"\n}\n');
  assert.equal(window.shown.length, 1);
});

test("a dangerous skill runs only once that is confirmed", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  let button: string | undefined;
  window.user = picks(/write-note/, ({ kind }) => (kind === "input" ? '{"text":"medlar"}' : button));
  await window.run("invokeSkill");
  const dialog = window.asked.at(-1);
  assert.deepEqual([dialog?.options.modal, dialog?.options.detail], [true, '{\n  "text": "medlar"\n}']);
  assert.equal(await home.notes(), "");
  button = "Run";
  await window.run("invokeSkill");
  assert.equal(await home.notes(), '{"text":"medlar"}');
});

test("a skill that takes long can be given up", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.user = picks(/^take-a-nap$/);
  const running = window.run("invokeSkill");
  await window.until(() => window.asked.some(({ kind }) => kind === "progress"), "the progress");
  window.asked.at(-1)?.items[0]();
  await running;
  assert.deepEqual(window.shown, []);
  assert.ok(!window.asked.some(({ kind }) => kind === "error"), window.story());
});

test("the mode is picked, and shown at once", async (t) => {
  const window = (await Home.make(t)).start();
  assert.match(window.statusBar.text, /Helm: selective/);
  window.user = picks(/^propose$/);
  await window.run("pickMode");
  assert.match(window.statusBar.text, /Helm: propose/);
});

test("a provider is picked with its model, and one without its settings says what is missing", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  window.user = picks(/^anthropic$/);
  await window.run("pickProvider");
  assert.match(window.asked.at(-1)?.message ?? "", /^anthropic cannot be used yet: set ANTHROPIC_API_KEY/);
  window.user = ({ kind, message, items }) => {
    if (kind === "input") return "big";
    return items.find(({ label }: { label: string }) => label === (message === "Provider" ? "offline" : "Another…"));
  };
  await window.run("pickProvider");
  assert.deepEqual([window.settings.get("provider"), window.settings.get("model")], ["offline", "big"]);
  assert.match(window.statusBar.text, /selective, offline/);
  const row = window.asked.find(({ message }) => message === "Provider")?.items.find(({ label }) => label === "offline");
  assert.match(row.description, /default/);
  window.user = picks(/^Default$/);
  await window.run("pickProvider");
  assert.deepEqual([window.settings.get("provider"), window.settings.get("model")], [undefined, undefined]);
});

test("the status can be read", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await window.run("showStatus");
  const page = window.text("/Status.md");
  assert.match(page, /^# open-think \d/);
  assert.match(page, /- vscode by \w+, process \d+/);
  assert.ok(page.includes(home.path(".config")), page);
});

const START = { status: "pending", deviceCode: "d", userCode: "ABCD-1234", verificationUri: "https://example.com/device", interval: 0 };

test("signing in shows the code and opens the page", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  let isOpened!: () => void;
  const opened = new Promise<void>((resolve) => (isOpened = resolve));
  through(window, await fake(t, {
    "oauth.codex.deviceStart": () => START,
    "oauth.codex.devicePoll": async () => {
      await opened;
      return { status: "complete", login: { owner: "daemon", email: "me@example.com" } };
    },
  }));
  window.module.env.openExternal = async (uri: unknown) => {
    window.opened.push(`${uri as { toString(): string }}`);
    isOpened();
  };
  window.user = ({ items }) => (items.includes("Copy Code") ? "Copy Code and Open Browser" : undefined);
  home.activate(window);
  await window.run("signIn");
  assert.deepEqual(window.progress, ["type ABCD-1234 at https://example.com/device"]);
  assert.deepEqual([window.clipboard, window.opened], ["ABCD-1234", ["https://example.com/device"]]);
  assert.equal(window.asked.at(-1)?.message, "Signed in to Codex as me@example.com.");
});

test("a sign-in can be given up", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  let isGivenUp!: (params: unknown) => void;
  const givenUp = new Promise<unknown>((resolve) => (isGivenUp = resolve));
  through(window, await fake(t, {
    "oauth.codex.deviceStart": () => START,
    "oauth.codex.devicePoll": () => ({ status: "pending", interval: 0.01 }),
    "oauth.codex.deviceCancel": (params) => (isGivenUp(params), { cancelled: true }),
  }));
  home.activate(window);
  const signing = window.run("signIn");
  await window.until(() => window.progress.length > 0, "the code");
  window.asked.find(({ kind }) => kind === "progress")?.items[0]();
  await signing;
  assert.deepEqual(await givenUp, { deviceCode: "d" });
  assert.ok(!window.asked.some(({ kind }) => kind === "error"), window.story());
});

test("a sign-in that is not possible says what is missing", async (t) => {
  const window = (await Home.make(t)).start();
  await window.run("signIn");
  const fault = window.asked.find(({ kind }) => kind === "error");
  assert.ok(fault?.message, window.story());
  assert.deepEqual(fault?.items, ["Try Again", "Show Output"]);
});

test("the menu leads on", async (t) => {
  const window = (await Home.make(t)).start();
  assert.equal(window.statusBar.command, "openThink.menu");
  window.user = picks(/Show Output/);
  await window.run("menu");
  assert.deepEqual(window.called, [["output.show"]]);
});
