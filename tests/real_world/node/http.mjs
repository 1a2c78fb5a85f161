// HTTP as Node's own clients speak it, and events as a parser of others reads them. The URL of the listener, its token
// and the program's idea of a session are the arguments.
//
// Prints what it saw as one line of JSON.

import { createParser } from "eventsource-parser";
import { WebSocket } from "ws";

const [url, token, sessionName] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const seen = {};

const get = async (path, extra = {}) => {
  const response = await fetch(url + path, { headers: { ...headers, ...extra } });
  return { status: response.status, body: await response.json() };
};

const post = (path, body, extra = {}) =>
  fetch(url + path, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", ...extra },
    body: JSON.stringify(body),
  });

/// All events of a stream; after `limit` of them the line is cut.
const events = async (response, limit = Infinity) => {
  const told = [];
  const parser = createParser({
    onEvent: ({ event, id, data }) => told.push({ event, id, data: JSON.parse(data) }),
    onError: (error) => {
      throw error;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (told.length >= limit) break;
  }
  return told.slice(0, limit);
};

seen.health = await get("/health");
seen.noToken = (await fetch(`${url}/health`)).status;
seen.foreignPage = (await post("/conductor/message", { content: "hello" }, { origin: "https://evil.example" })).status;

// One turn, heard to its end, and heard again from where somebody left off.
const said = { content: 'call read-note {"name":"quince"}', mode: "auto", sessionName };
const first = await post("/conductor/stream", said);
seen.type = first.headers.get("content-type");
const id = first.headers.get("x-stream-id");
seen.stream = await events(first);
seen.again = await events(await fetch(`${url}/conductor/stream/${id}`, { headers }));
const after = { ...headers, "last-event-id": "3" };
seen.rest = await events(await fetch(`${url}/conductor/stream/${id}`, { headers: after }));

// One that is cut off in the midst of a turn, and joined again while that runs.
const nap = { content: "call take-a-nap {}", mode: "auto", sessionName, detach: true };
const cut = await post("/conductor/stream", nap);
const begun = await events(cut, 2);
const last = { ...headers, "last-event-id": begun.at(-1).id };
const joined = await fetch(`${url}/conductor/stream/${cut.headers.get("x-stream-id")}`, { headers: last });
seen.interrupted = await (await post("/conductor/interrupt", { sessionName })).json();
seen.joined = { after: begun.at(-1).id, events: await events(joined) };

// The same methods over a WebSocket.
const socket = new WebSocket(`${url.replace("http", "ws")}/rpc`, { headers });
const frames = [];
const waiting = [];
socket.on("message", (data) => {
  frames.push(JSON.parse(data));
  for (const { test, resolve } of waiting) if (test(frames.at(-1))) resolve(frames.at(-1));
});
const until = (test) => new Promise((resolve) => waiting.push({ test, resolve }));
await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
const ask = (id, method, params) => {
  const answer = until((frame) => frame.id === id);
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  return answer;
};
seen.initialized = await ask(1, "initialize", { capabilities: {} });
seen.turn = await ask(2, "conductor.message", { ...said, stream: true });
seen.notified = frames.filter((frame) => frame.method === "conductor.event").map((frame) => frame.params);
const closed = new Promise((resolve) => socket.on("close", resolve));
socket.close(1000);
seen.closed = await closed;

console.log(JSON.stringify(seen));
