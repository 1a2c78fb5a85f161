import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
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
  assert.match(
    window.statusBar.tooltip.value,
    /\*\*Helm\*\* Cold\n\nMode `selective`\n\nProvider `offline`\n\nopen-think \S+, process \d+/,
  );
});

test("in a folder that is not trusted it does nothing", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  window.isTrusted = false;
  window.settings.set("connectOnStartup", true);
  home.activate(window);
  assert.deepEqual(
    [window.commands.size, window.participant, window.output, window.statusBar.visible],
    [0, undefined, [], false],
  );
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
  assert.match((await nap.result).errorDetails.message, /lost. Try again\.$/);
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
  await window.until(() => window.output.includes("info Helm has the skills of this window"), "the skills");
  await home.program("stop", "--now");
  const client = await home.connect();
  const deadline = Date.now() + 10_000;
  const has = async (): Promise<boolean> =>
    (await client.skills()).filter(({ id }) => id.startsWith("editor-")).length === 4;
  while (!(await has())) assert.ok(Date.now() < deadline, window.story());
  const { errorDetails } = await chat.say("hello").result;
  assert.equal(errorDetails, undefined, errorDetails?.message);
  assert.deepEqual(window.asked, []);
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
  assert.match(
    errors[0]?.message ?? "",
    /none could not be started.* Install open-think, or say where it is in the setting openThink\.command\.$/,
  );
  assert.deepEqual(errors[0]?.items, ["Open Settings", "Try Again", "Show Output"]);
  assert.equal(window.statusBar.backgroundColor.id, "statusBarItem.errorBackground");

  const reply = new Chat(window).say("hello");
  assert.match((await reply.result).errorDetails.message, /openThink\.command/);
  assert.deepEqual(
    reply.buttons.map(({ title }) => title),
    ["Open Settings"],
  );
  window.configure("command", right);
  await stands(window, "Cold");
});

test("when the daemon stays away one message says so, and leads back once it is there", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const [script, args] = [home.path("program"), window.settings.get("args") as string[]];
  const write = () => writeFile(script, `#!/bin/sh\nexec env ${args.join(" ")}\n`, { mode: 0o755 });
  await write();
  window.settings.set("command", script);
  window.settings.set("args", []);
  home.activate(window);
  await new Chat(window).say("hello").result;
  let press!: (button: string) => void;
  window.user = () => new Promise<string>((resolve) => (press = resolve));
  const shim = await pid(home);
  await rm(script);
  process.kill(shim, "SIGKILL");
  await stands(window, "Not running");
  assert.deepEqual(
    window.asked.map(({ kind, items }) => [kind, items]),
    [["error", ["Open Settings", "Try Again", "Show Output"]]],
  );
  await write();
  press("Try Again");
  await stands(window, "Cold");
});

test("a change of the program takes effect at once", async (t) => {
  const home = await Home.make(t);
  const window = home.start();
  await window.run("showStatus");
  const before = await pid(home);
  const args = window.settings.get("args") as string[];
  window.configure("args", [...args, "--log", "debug"]);
  await window.until(
    () => window.output.filter((line) => line.startsWith("info connected")).length === 2,
    "the connection",
  );
  assert.notEqual(await pid(home), before);
  assert.equal(isAlive(before), false);
  await window.run("restart");
  assert.equal((await new Chat(window).say("hello").result).errorDetails, undefined);
});

for (const button of [undefined, "End It Now"]) {
  const when = button === undefined ? "once the turn is over" : "at once if that is wanted";
  test(`another program is taken ${when}`, async (t) => {
    const home = await Home.make(t);
    const window = home.start();
    let press!: (button: string | undefined) => void;
    window.user = ({ items }) =>
      items.includes("End It Now") ? new Promise<string | undefined>((resolve) => (press = resolve)) : undefined;
    const reply = new Chat(window).say('call write-note {"text":"medlar"}');
    await window.until(() => reply.buttons.length === 2, "both buttons");
    const before = await pid(home);
    window.configure("args", [...(window.settings.get("args") as string[]), "--log", "debug"]);
    window.configure("command", window.settings.get("command"));
    assert.deepEqual(
      window.asked.map(({ message }) => message),
      ["Helm works for this window. The other program is taken once that is done."],
    );
    press(button);
    if (button === undefined) await reply.press("Approve");
    const { errorDetails } = await reply.result;
    assert.equal(errorDetails === undefined, button === undefined);
    assert.equal(await home.notes(), button === undefined ? '{"text":"medlar"}' : "");
    await window.until(() => window.output.filter((line) => line.startsWith("info connected")).length === 2, "another");
    assert.notEqual(await pid(home), before);
  });
}

/** Has the window start a program that says nothing and does not end by itself. Gives its process once it runs. */
function hangs(home: Home, window: Window): () => Promise<number> {
  const file = home.path("pid");
  const program = 'require("node:fs").writeFileSync(process.argv[1], `${process.pid}\n`); setInterval(() => {}, 1000)';
  window.settings.set("command", process.execPath);
  window.settings.set("args", ["-e", program, file]);
  return async () => {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const text = await readFile(file, "utf8").catch(() => "");
      if (text.endsWith("\n")) return Number(text);
      assert.ok(Date.now() < deadline, "it does not start");
    }
  };
}

const isGone = async (process_id: number): Promise<void> => {
  const deadline = Date.now() + 10_000;
  while (isAlive(process_id)) {
    assert.ok(Date.now() < deadline, "it is still there");
    await new Promise((resolve) => setImmediate(resolve));
  }
};

test("a program that says nothing is given up with the request that waits for it", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const hanging = hangs(home, window);
  home.activate(window);
  const reply = new Chat(window).say("hello");
  const child = await hanging();
  reply.cancel();
  assert.equal((await reply.result).errorDetails, undefined);
  await stands(window, "Not connected");
  await isGone(child);
});

test("a program that says nothing makes way for another", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const [command, args] = [window.settings.get("command"), window.settings.get("args")];
  const hanging = hangs(home, window);
  home.activate(window);
  const reply = new Chat(window).say("hello");
  const child = await hanging();
  window.settings.set("command", command);
  window.configure("args", args);
  assert.match((await reply.result).errorDetails.message, /was ended while it was made\. Try again\.$/);
  await stands(window, "Cold");
  await isGone(child);
  assert.equal((await new Chat(window).say("hello").result).errorDetails, undefined);
});

test("a restart gives up a program that says nothing, and starts it anew", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const hanging = hangs(home, window);
  const end = home.activate(window);
  const reply = new Chat(window).say("hello");
  const child = await hanging();
  await rm(home.path("pid"));
  void window.run("restart");
  assert.match((await reply.result).errorDetails.message, /Try again/);
  const next = await hanging();
  assert.notEqual(next, child);
  await end();
  await Promise.all([isGone(child), isGone(next)]);
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
