import assert from "node:assert/strict";
import { test } from "node:test";

import type { Event, TurnResult } from "open-think";

import { fenced, plain } from "../src/markdown.js";
import { readable, readableText } from "../src/readable.js";
import { Story } from "../src/story.js";

const RESULT = { suggestedActions: [], stopReason: "end-turn", trace: [] } as unknown as TurnResult;

/** The Markdown that these events leave behind. */
function told(events: object[], result: object = {}): string {
  const story = new Story();
  const pieces = [...events.flatMap((event) => story.take(event as Event)), ...story.end({ ...RESULT, ...result })];
  return pieces.flatMap(({ kind, text }) => (kind === "markdown" ? [text] : [])).join("");
}

const delta = (text: string, index = 0) => ({ kind: "text-delta", index, text });

test("text that did not come in parts is shown whole, and none of it twice", () => {
  assert.equal(told([{ kind: "text-stop", index: 0, text: "Hello." }]), "Hello.");
  assert.equal(told([delta("Hel"), { kind: "text-stop", index: 0, text: "Hello." }]), "Hello.");
  assert.equal(told([delta("Hello."), { kind: "text-stop", index: 0, text: "Hello." }]), "Hello.");
});

test("what is between texts stands in paragraphs of its own", () => {
  const result = { kind: "tool-result", toolUseId: "t", skill: "read-note", ok: true, durationMs: 3 };
  assert.equal(
    told([delta("First"), result, result, delta("Then", 1)]),
    "First\n\n✓ `read-note` 3 ms\n\n✓ `read-note` 3 ms\n\nThen",
  );
  assert.equal(told([delta("One"), { kind: "text-start", index: 1 }, delta("Two", 1)]), "One\n\nTwo");
});

test("a failed try is said, and the next one begins anew", () => {
  const failed = { kind: "attempt-failed", provider: "a", error: "overloaded." };
  const start = { kind: "turn-start", iteration: 1, provider: "b" };
  const text = told([delta("Hal"), failed, start, delta("Hello"), { kind: "text-stop", index: 0, text: "Hello" }]);
  assert.equal(text, "Hal\n\n_a: overloaded. What it has said here does not count._\n\nHello");
});

test("where some of it is lost the whole answer follows", () => {
  const text = told([delta("Hel"), { kind: "resync" }], { assistantMessage: { content: "Hello." } });
  assert.match(text, /^Hel\n\n_Some of this was lost.*_\n\nHello\.\n\n$/);
});

test("events and values of a later daemon are passed over, or shown as they are", () => {
  const later = [
    { kind: "mood-change", mood: "good" },
    { kind: "text-delta-2", text: 7 },
    { kind: "turn-stop", iteration: 1, stopReason: "tired" },
  ];
  assert.equal(told(later), "");
  assert.equal(told([], { stopReason: "tired" }), "_Helm stopped: tired._\n\n");
  assert.equal(told([], { stopReason: "cancelled" }), "_Interrupted._\n\n");
});

test("no text of others ends a block or begins a link", () => {
  assert.equal(fenced("a\n````\nb"), "`````\na\n````\nb\n`````");
  assert.equal(plain("[x](command:y) <b> take_a_nap _z_"), "\\[x\\](command:y) \\<b\\> take_a_nap \\_z\\_");
});

test("an edit is read as its texts, and one that holds more as it is", () => {
  const input = { path: "a.ts", oldText: "one\n", newText: 'a "b"\nc' };
  const texts = 'In `a.ts`\n\n```\none\n\n```\n\nbecomes\n\n```\na "b"\nc\n```';
  assert.equal(readable({ skill: "editor-apply-edit", input }), texts);
  assert.equal(readableText({ skill: "editor-apply-edit", input }), texts);
  for (const other of [{ ...input, more: 1 }, { path: "a.ts" }, "text", null]) {
    assert.equal(readableText({ skill: "editor-apply-edit", input: other }), JSON.stringify(other, null, 2));
  }
  assert.match(readable({ skill: "write-note", input }), /^```json\n/);
});
