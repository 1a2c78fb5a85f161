// With a model's API that others wrote.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LLMock } from "@copilotkit/aimock";

import { fake, result } from "../../typescript/test/fake.js";
import { Chat } from "./chat.js";
import { Home } from "./home.js";
import { through } from "./through.js";
import { saved } from "./window.js";

test("a model reads what the editor shows, and changes it once that is approved", async (t) => {
  const mock = new LLMock({ port: 0, host: "127.0.0.1", strict: true });
  const edit = { path: "a.ts", oldText: "worng", newText: "wrong" };
  const call = (name: string, input: object) => ({ name, arguments: JSON.stringify(input) });
  const on = { userMessage: "mend this file" };
  mock.on({ ...on, sequenceIndex: 0 }, { toolCalls: [call("editor-list-diagnostics", { path: "a.ts" })] });
  mock.on({ ...on, sequenceIndex: 1 }, { toolCalls: [call("editor-apply-edit", edit)] });
  mock.on({ ...on, sequenceIndex: 2 }, { content: "I have mended the spelling, in several pieces." }, { chunkSize: 5 });
  await mock.start();
  t.after(() => mock.stop());
  const home = await Home.make(t, `openai_compatible_url = "${mock.url}/v1"\nopenai_compatible_key = "sk-test"\nopenai_compatible_default_model = "test-model"`);
  const path = await home.file("a.ts", "worng\n");
  const window = home.window();
  window.settings.set("connectOnStartup", true);
  home.activate(window);
  await window.until(() => window.output.includes("info Helm has the skills of this window"), "the skills");

  const reply = new Chat(window).say("mend this file");
  await reply.press("Approve");
  const { errorDetails } = await reply.result;
  assert.equal(errorDetails, undefined, errorDetails?.message);
  assert.equal(saved(path), "wrong\n");
  assert.match(reply.text, /✓ `editor-list-diagnostics`.*`editor-apply-edit`.*You approved.*✓ `editor-apply-edit`.*I have mended the spelling, in several pieces\./s);
  assert.ok(reply.progress.some((text) => text.startsWith("Asking openai-compatible")), reply.progress.join());
  await window.until(() => window.statusBar.text.includes("openai-compatible"), "the provider");
});

test("a daemon of a later version is understood as far as possible", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  let seq = 0;
  through(window, await fake(t, {
    "conductor.message": async ({ sessionName, workDoneToken }, peer) => {
      await peer.sendNotification("$/progress", { token: workDoneToken, value: { kind: "begin", title: "", cancellable: true, turnId: "t" } });
      const events = [{ kind: "mood-change", mood: "good" }, { kind: "text-delta", index: 0, text: "Hello." }, { kind: "turn-stop", iteration: 1, stopReason: "tired" }];
      for (const event of events) await peer.sendNotification("conductor.event", { sessionName, turnId: "t", seq: (seq += 1), event });
      await peer.sendNotification("conductor.mood", { mood: "good" });
      return result("t", { sessionName, stopReason: "tired", mode: "dreamy" });
    },
    "daemon.status": () => ({ version: "9", providers: [{ id: "x", state: "tepid" }], defaultProvider: "x", runningTurns: [], clients: 1, skills: 0, pid: 1 }),
  }));
  home.activate(window);
  const reply = new Chat(window).say("hello");
  assert.equal((await reply.result).errorDetails, undefined);
  assert.equal(reply.text, "Hello.\n\n_Helm stopped: tired._\n\n");
  await window.until(() => window.statusBar.tooltip.value.startsWith("**Helm** tepid"), "the state");
  assert.deepEqual(window.asked, []);
});
