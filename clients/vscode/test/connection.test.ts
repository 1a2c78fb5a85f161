import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "./chat.js";
import { Home } from "./home.js";
import type { Window } from "./window.js";

/** Of the program that a window has started. */
async function pid(home: Home): Promise<number> {
  const { connections } = await (await home.connect()).status();
  return connections.find(({ name }) => name === "vscode")?.pid ?? assert.fail("the window is not connected");
}

function isAlive(process_id: number): boolean {
  try {
    return process.kill(process_id, 0);
  } catch {
    return false;
  }
}

const stands = (window: Window, what: string) =>
  window.until(() => window.statusBar.tooltip?.value.startsWith(`**Helm** ${what}`), what);

test("nothing is started before it is needed, and the status bar says how it stands", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await stands(window, "Not connected");
  assert.deepEqual([window.statusBar.visible, window.statusBar.text], [true, "$(circle-slash) Helm: selective"]);
  assert.match(await home.program("stop"), /No daemon/);
  await new Chat(window).say("hello").result;
  await window.until(() => window.statusBar.text === "$(circle-outline) Helm: selective, offline", "the provider");
  assert.match(window.statusBar.tooltip.value, /\*\*Helm\*\* Cold\n\nMode `selective`\n\nProvider `offline`\n\nopen-think \S+, process \d+/);
});

test("in a folder that is not trusted it does nothing", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  window.isTrusted = false;
  window.settings.set("connectOnStartup", true);
  home.activate(window);
  assert.deepEqual([window.commands.size, window.participant, window.output, window.statusBar.visible], [0, undefined, [], false]);
  window.trust();
  await stands(window, "Cold");
});

test("a lost daemon comes back, with the skills of the editor", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const chat = new Chat(window);
  const nap = chat.say("call take-a-nap {}");
  await window.until(() => nap.progress.includes("Running take-a-nap"), "the call");
  const before = await pid(home);
  process.kill(before, "SIGKILL");
  assert.match((await nap.result).errorDetails.message, /lost/);
  await window.until(() => window.output.includes("info reconnecting"), "the loss");
  const reply = chat.say("hello");
  assert.equal((await reply.result).errorDetails, undefined);
  assert.notEqual(await pid(home), before);
  assert.deepEqual(window.asked, []);

});

test("a daemon that was stopped is followed by another, which has the skills of the editor", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  const chat = new Chat(window);
  await chat.say("hello").result;
  await home.program("stop", "--now");
  assert.equal((await chat.say("hello").result).errorDetails, undefined);
  const client = await home.connect();
  const deadline = Date.now() + 10_000;
  const has = async (): Promise<boolean> => (await client.skills()).some(({ id }) => id === "editor-open-file");
  while (!(await has())) assert.ok(Date.now() < deadline, "the skills are gone");
});

test("where there is no program one message says so and leads on", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const right = window.settings.get("command");
  window.settings.set("command", home.path("none"));
  home.activate(window);
  window.user = ({ kind }) => (kind === "error" ? new Promise(() => undefined) : undefined);
  await Promise.all([window.run("showStatus"), window.run("invokeSkill")]);
  await stands(window, "Not running");
  const errors = window.asked.filter(({ kind }) => kind === "error");
  assert.equal(errors.length, 1, window.story());
  assert.match(errors[0]?.message ?? "", /none could not be started\. Install open-think, or say where it is in the setting openThink\.command\.$/);
  assert.deepEqual(errors[0]?.items, ["Open Settings", "Try Again", "Show Output"]);
  assert.equal(window.statusBar.backgroundColor.id, "statusBarItem.errorBackground");

  const reply = new Chat(window).say("hello");
  assert.match((await reply.result).errorDetails.message, /openThink\.command/);
  assert.deepEqual(reply.buttons.map(({ title }) => title), ["Open Settings"]);
  window.configure("command", right);
  await stands(window, "Cold");
});

test("a change of the program takes effect at once", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await window.run("showStatus");
  const before = await pid(home);
  const args = window.settings.get("args") as string[];
  window.configure("args", [...args, "--log", "debug"]);
  await window.until(() => window.output.filter((line) => line.startsWith("info connected")).length === 2, "the connection");
  assert.notEqual(await pid(home), before);
  assert.equal(isAlive(before), false);
  await window.run("restart");
  assert.equal((await new Chat(window).say("hello").result).errorDetails, undefined);
});

test("a trace names requests, and nothing that was said", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await new Chat(window).say("hello marrow").result;
  window.configure("trace", true);
  await new Chat(window).say("hello marrow").result;
  const traced = window.output.filter((line) => line.startsWith("info turn: done, "));
  assert.equal(traced.length, 1);
  assert.ok(!window.output.join().includes("marrow"));
});

test("what ends leaves no process, whatever was under way", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const end = home.activate(window);
  const nap = new Chat(window).say("call take-a-nap {}");
  await window.until(() => nap.progress.includes("Running take-a-nap"), "the call");
  const shim = await pid(home);
  await end();
  assert.equal(isAlive(shim), false);
  await nap.result;
  assert.equal(window.commands.size, 0);
});
