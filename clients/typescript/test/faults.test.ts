import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import type { Approve, OpenThinkError, State } from "open-think";
import { connect } from "open-think";
import type { MessageConnection, ResponseError } from "vscode-jsonrpc/node";

import { eventually, promised } from "./collect.js";
import { fake, result } from "./fake.js";
import { Home } from "./home.js";

const MEBIBYTE = 1024 * 1024;
const LONG = "x".repeat(17 * MEBIBYTE);
const APPROVAL = { approvalId: "a", sessionName: "s", turnId: "t", actions: [], deadlineMs: 60_000 };

/** A program that stands in for open-think. */
async function program(home: Home, script: string): Promise<string> {
  const path = home.path("program");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** The warnings of the process so far, and those to come. */
function warnings(t: Parameters<typeof fake>[0]): string[] {
  const said: string[] = [];
  const hear = (warning: Error): void => void said.push(warning.message);
  process.on("warning", hear);
  t.after(() => process.off("warning", hear));
  return said;
}

test("what no daemon would read is refused before it is sent", async (t) => {
  const client = await (await Home.make(t)).connect();
  await assert.rejects(client.message({ content: LONG }).result, { code: "E_FRAME_TOO_LONG", retryable: false });
  await assert.rejects(client.request("skills.invoke", { skill: "read-note", input: LONG }), /16777216/);
  await client.message({ content: "x".repeat(5 * MEBIBYTE), sessionName: "long" }).result;
  await client.registerSkill({ id: "flood", description: "Gives too much.", dangerous: false }, () => LONG);
  await client.registerSkill({ id: "lament", description: "Says too much.", dangerous: false }, () => {
    throw new Error(LONG);
  });
  for (const skill of ["flood", "lament"]) {
    const { trace } = await client.message({ content: `call ${skill} {}`, mode: "auto" }).result;
    assert.equal(trace[0]?.ok, false);
  }
  assert.ok(await client.status());
});

test("an answer that names no request is that of the only one, and else a warning", async (t) => {
  const said = warnings(t);
  const fault = { code: -32600, message: "the frame is odd", data: { code: "E_BAD_REQUEST" } };
  const waiting: (() => void)[] = [];
  const socket = await fake(t, {
    "daemon.status": (_, _peer, socket) => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: null, error: fault });
      socket.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      return new Promise((resolve) => waiting.push(() => resolve({})));
    },
    "skills.list": () => new Promise((resolve) => waiting.push(() => resolve({ skills: [] }))),
  });
  const client = await connect({ socket });
  await assert.rejects(client.status(), { code: "E_BAD_REQUEST", message: "the frame is odd" });
  const listed = client.skills();
  const status = client.status();
  await eventually(() => said.some((warning) => warning.includes("the frame is odd")));
  for (const answer of waiting) answer();
  assert.deepEqual(await Promise.all([listed, status]), [[], {}]);
  await client.close();
});

test("closing tells the daemon what nobody waits for any more, and does not wait for it", async (t) => {
  const home = await Home.make(t);
  const watcher = await home.connect();
  const client = await home.connect();
  const nap = client.message({ content: "call take-a-nap {}", mode: "auto" });
  for await (const { kind } of nap) if (kind === "tool-use-stop") break;
  const watching = await watcher.subscribe(nap.sessionName);
  const started = performance.now();
  await client.close();
  const took = performance.now() - started;
  t.diagnostic(`closed in ${took.toFixed(1)} ms`);
  await assert.rejects(nap.result, { code: "E_CLOSED" });
  await eventually(async () => (await watcher.status()).runningTurns.length === 0);
  await watching.close();
  assert.ok(took < 1000, `${took} ms`);
});

test("what is asked as soon as a connection is lost waits for the next one", async (t) => {
  const home = await Home.make(t);
  const client = await home.connect({ clientInfo: { name: "mortal" } });
  const { connections } = await client.status();
  const nap = client.message({ content: "call take-a-nap {}", mode: "auto" });
  for await (const { kind } of nap) if (kind === "tool-use-stop") break;
  process.kill(connections.find(({ name }) => name === "mortal")?.pid ?? 0, "SIGKILL");
  await assert.rejects(nap.result, { code: "E_CONNECTION_LOST" });
  assert.ok(await client.status());
});

for (const [what, script, code, printed] of [
  ["says nothing", "exec sleep 60", true, /did not answer within 300 ms/],
  ["leaves something else behind", "sleep 5 & exec sleep 60", true, /did not answer/],
  ["prints something else", "echo hello there; exec sleep 60", false, /it printed "hello there\\n"/],
  ["prints without end", "exec yes", false, /it printed "y\\n/],
  ["sends something else", 'printf "Content-Length: 5\\r\\n\\r\\nhello"; exec sleep 60', false, /does not speak/],
  ["fails", "echo sorry >&2; exit 3", false, /^sorry$/],
  ["cannot start a daemon", "echo not now >&2; exit 69", true, /^not now$/],
] as const) {
  test(`a program that ${what} is not waited for`, async (t) => {
    const command = await program(await Home.make(t), script);
    await assert.rejects(connect({ command, timeoutMs: 300 }), (error: OpenThinkError) => {
      assert.deepEqual([error.code, error.retryable], ["E_CONNECT", code]);
      assert.match(error.message, printed);
      return true;
    });
  });
}

test("whoever connects may give up", async (t) => {
  const command = await program(await Home.make(t), 'echo $$ > "$0.pid"; exec sleep 60');
  const pid = (): Promise<number> => readFile(`${command}.pid`, "utf8").then(Number, () => 0);
  const stop = new AbortController();
  const connecting = connect({ command, signal: stop.signal });
  await eventually(async () => (await pid()) > 0);
  stop.abort();
  await assert.rejects(connecting, { code: "E_CANCELLED" });
  const child = await pid();
  assert.throws(() => process.kill(child, 0), { code: "ESRCH" });
  await assert.rejects(connect({ command, signal: AbortSignal.abort() }), { code: "E_CANCELLED" });
});

test("a directory that is not there is not taken for the program", async (t) => {
  const home = await Home.make(t);
  await assert.rejects(home.connect({ cwd: home.path("nowhere") }), { code: "E_CONNECT", message: /nowhere is no directory$/ });
});

test("what is no answer to an approval leaves the actions held, is told, and harms nothing else", async (t) => {
  const said = warnings(t);
  const cyclic: Record<string, unknown> = { decision: "approve" };
  cyclic["input"] = cyclic;
  let given: unknown;
  const refused: unknown[] = [];
  const socket = await fake(t, {
    "conductor.message": async (_, peer) => {
      await peer.sendRequest("conductor.approval", APPROVAL).catch((error: ResponseError<void>) => refused.push(error.message));
      return result("t");
    },
  });
  const states: State[] = [];
  const approve = (() => given) as Approve;
  const client = await connect({ socket, approve, onState: (state) => states.push(state) });
  for (given of [cyclic, true, 7, "yes", { decision: "maybe" }]) await client.message({ content: "hello" }).result;
  assert.equal(refused.length, 5);
  await eventually(() => said.length === 5);
  assert.match(said[0] ?? "", /cannot be written as JSON/);
  assert.match(said[3] ?? "", /its answer "yes" is no decision/);
  for (given of [undefined, null]) await client.message({ content: "hello" }).result;
  assert.deepEqual([refused.length, said.length, states], [7, 5, []]);
  await client.close();
});

test("a listener that throws keeps nothing from the others", async (t) => {
  const said = warnings(t);
  const states: State[] = [];
  const peers: MessageConnection[] = [];
  const socket = await fake(t, {
    "skills.list": (_, peer) => {
      peers.push(peer);
      return { skills: [] };
    },
  });
  const again = promised();
  const client = await connect({
    socket,
    onState(state) {
      states.push(state);
      if (state === "connected") again.resolve();
      throw new Error("no screen");
    },
  });
  const heard = promised<unknown>();
  client.on("conductor.event", () => {
    throw new Error("no room");
  });
  client.on("conductor.event", async () => Promise.reject(new Error("no time")));
  client.on("conductor.event", heard.resolve);
  await client.skills();
  await peers[0]?.sendNotification("conductor.event", { sessionName: "s" });
  assert.deepEqual(await heard.promise, { sessionName: "s" });
  peers[0]?.end();
  await again.promise;
  await client.skills();
  await client.close();
  assert.deepEqual(states, ["reconnecting", "connected", "closed"]);
  const expected = ["no room", "no time", "no screen"];
  await eventually(() => expected.every((words) => said.some((warning) => warning.includes(words))));
});
