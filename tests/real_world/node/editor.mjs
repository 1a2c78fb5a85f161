// An editor's client: the library under VS Code's own, with the program's path as the only argument.
//
// Goes through a whole life of a connection and prints what it saw as one line of JSON.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as rpc from "vscode-jsonrpc/node";

const daemon = spawn(process.argv[2], ["--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const closed = once(daemon, "close");
const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(daemon.stdout),
  new rpc.StreamMessageWriter(daemon.stdin),
);

const seen = { events: [], approvals: [], progress: [], faults: [] };
connection.onError(([error]) => seen.faults.push(String(error)));
connection.onUnhandledNotification((message) => seen.faults.push(`unexpected ${message.method}`));
connection.onNotification("conductor.event", (params) => seen.events.push(params));
connection.onRequest("conductor.approval", (params) => {
  seen.approvals.push(params);
  return { decision: "approve" };
});
connection.onProgress(new rpc.ProgressType(), "work-1", (value) => seen.progress.push(value));
connection.listen();

const ask = (method, ...params) =>
  connection.sendRequest(method, ...params).catch(({ code, message, data }) => ({ error: { code, message, data } }));
const say = (sessionName, mode, content, more = {}) =>
  ask("conductor.message", { sessionName, mode, content, stream: true, ...more });

const capabilities = { approvals: true, window: { workDoneProgress: true }, textDocument: {} };
const clientInfo = { name: "editor", version: "1.0.0" };
seen.initialize = await ask("initialize", { processId: process.pid, clientInfo, capabilities, rootUri: null });
await connection.sendNotification("initialized", {});
seen.initializeAgain = await ask("initialize", { processId: process.pid, clientInfo, capabilities });

seen.propose = await say("propose", "propose", 'call write-note {"text":"proposed"}');
seen.selective = await say("selective", "selective", 'call read-note {"name":"quince"}', { workDoneToken: "work-1" });
seen.approved = await say("approved", "selective", 'call write-note {"text":"approved"}');
seen.auto = await say("auto", "auto", 'call write-note {"text":"automatic"}\nthen\ncall read-note {"name":"medlar"}');

const source = new rpc.CancellationTokenSource();
const started = Date.now();
const napping = say("cancelled", "auto", "call take-a-nap {}");
const cancelled = ask(
  "conductor.message",
  { sessionName: "napping", mode: "auto", content: "call take-a-nap {}", stream: true },
  source.token,
);
setTimeout(() => source.cancel(), 500);
seen.cancelled = await cancelled;
seen.cancelledAfterMs = Date.now() - started;
seen.interrupt = await ask("conductor.interrupt", { sessionName: "cancelled" });
seen.interrupted = await napping;

seen.invoke = await ask("skills.invoke", { skill: "read-note", input: { name: "medlar" } });
seen.invokeDangerous = await ask("skills.invoke", { skill: "write-note", input: { text: "refused" } });
seen.unknown = await ask("conductor.mesage", { content: "hello" });
seen.misspelled = await ask("conductor.message", { content: "hello", sesionName: "x" });

seen.shutdown = await ask("shutdown");
await connection.sendNotification("exit");
const [code, signal] = await closed;
seen.exit = { code, signal };
console.log(JSON.stringify(seen));
process.exit(0);
