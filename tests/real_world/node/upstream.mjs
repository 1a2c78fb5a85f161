// A model's API that others wrote, with a script of answers chosen by what the user says.
//
// Prints {"url"} when it listens. Each line on standard input is answered with the requests seen so far; it ends with
// its input.

import { createInterface } from "node:readline";
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, host: "127.0.0.1", strict: true });

// The answer repeats what the tools of this turn said, so it can only be right if they were really told.
const quote = ({ messages }) => {
  const turn = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1);
  const results = turn.filter((message) => message.role === "tool").map((message) => message.content);
  return { content: `The skills said: ${results.join(" and ")}` };
};

const call = (name, input) => ({ name, arguments: JSON.stringify(input) });

const toolTurn = (userMessage, toolCalls) => {
  mock.on({ userMessage, hasToolResult: false }, { toolCalls });
  mock.on({ userMessage, hasToolResult: true }, quote, { chunkSize: 7 });
};

mock.on({ userMessage: "say hello" }, { content: "Hello from upstream, in several pieces." }, { chunkSize: 5 });
mock.on({ userMessage: "think first" }, { content: "Thought through.", reasoning: "Let me see." }, { chunkSize: 5 });
mock.on({ userMessage: "talk slowly" }, { content: "word ".repeat(400) }, { chunkSize: 5, latency: 100 });
mock.on(
  { userMessage: "make a plan" },
  {
    content:
      "First read the note.\n\n```open-think-action\n" +
      '{"skill":"read-note","input":{"name":"planned"}}\n```\n\nThen we shall see.',
  },
);
toolTurn("read one note", [call("read-note", { name: "quince" })]);
toolTurn("read two notes", [call("read-note", { name: "quince" }), call("read-note", { name: "medlar" })]);
toolTurn("read and write", [call("read-note", { name: "quince" }), call("write-note", { text: "medlar" })]);
// It never has enough.
mock.on({ userMessage: "go on for ever" }, { toolCalls: [call("read-note", { name: "again" })] });

// Faults: the first two pass, the others stay.
const once = (userMessage, status, error, more) => {
  mock.on({ userMessage, sequenceIndex: 0 }, { status, error, ...more });
  mock.on({ userMessage }, { content: "Better now." });
};
once("limit once", 429, { message: "slow down", type: "rate_limit_error" }, { retryAfter: 1 });
once("overload once", 529, { message: "Overloaded", type: "overloaded_error" });
const faulty = (userMessage, options) => mock.on({ userMessage }, { content: "word ".repeat(40) }, options);
faulty("be dropped", { chaos: { dropRate: 1 } });
faulty("be garbled", { chaos: { malformedRate: 1 } });
faulty("be hung up on", { chaos: { disconnectRate: 1 } });
faulty("be cut short", { chunkSize: 5, truncateAfterChunks: 4 });
faulty("be cut off", { chunkSize: 5, latency: 50, disconnectAfterMs: 300 });

await mock.start();
console.log(JSON.stringify({ url: mock.url }));

for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(mock.getRequests().map(({ path, body }) => ({ path, body }))));
}
await mock.stop();
