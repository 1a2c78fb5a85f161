// An editor that watches another client's session: it sees what is held there, approves it, and sees the next turn
// interrupted by a third. The program's path and the session are the arguments.
//
// Prints `ready` once it watches, then what it saw as one line of JSON, and stays until it is killed.

import { spawn } from "node:child_process";
import * as rpc from "vscode-jsonrpc/node";

const [program, sessionName] = process.argv.slice(2);
const shim = spawn(program, ["--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(shim.stdout),
  new rpc.StreamMessageWriter(shim.stdin),
);

const seen = { shim: shim.pid, events: [], faults: [] };
const waiting = [];
const until = (test) => new Promise((resolve) => waiting.push({ test, resolve }));
connection.onError(([error]) => seen.faults.push(String(error)));
connection.onNotification("conductor.event", (params) => {
  seen.events.push(params);
  for (const { test, resolve } of waiting) if (test(params.event)) resolve(params);
});
connection.listen();

const ask = (method, params) => connection.sendRequest(method, params);
await ask("initialize", { processId: process.pid, clientInfo: { name: "watcher" }, capabilities: {} });
await connection.sendNotification("initialized", {});
await ask("conductor.subscribe", { sessionName });
const halted = until((event) => event.kind === "loop-done" && event.result?.halted === "dangerous-skill");
const cancelled = until((event) => event.kind === "loop-done" && event.stopReason === "cancelled");
console.log("ready");

await halted;
seen.session = await ask("sessions.get", { sessionName });
const actionIds = seen.session.heldActions.map((action) => action.id);
seen.approved = await ask("conductor.approve", { sessionName, actionIds, decision: "approve" });
await cancelled;
console.log(JSON.stringify(seen));
