import assert from "node:assert/strict";
import { test } from "node:test";

import { view } from "../src/standing.js";
import type { Facts } from "../src/standing.js";

const STATUS = {
  version: "1", pid: 2, clients: 3, skills: 4, runningTurns: [], defaultProvider: "codex",
  providers: [{ id: "codex", state: "warm" }, { id: "offline", state: "cold" }, { id: "other", state: "tepid" }],
} as unknown as NonNullable<Facts["status"]>;

const FACTS: Facts = { standing: "connected", turns: 0, questions: 0, status: STATUS, settings: { mode: "auto", provider: undefined, model: undefined } };

const text = (facts: Partial<Facts>): string => view({ ...FACTS, ...facts }).text;
const by = (provider: string): Partial<Facts> => ({ settings: { ...FACTS.settings, provider } });

test("each state has its own look", () => {
  assert.equal(text({}), "$(flame) Helm: auto, codex");
  assert.equal(text(by("offline")), "$(circle-outline) Helm: auto, offline");
  assert.equal(text({ turns: 1 }), "$(sync~spin) Helm: auto, codex");
  assert.equal(text({ questions: 1, turns: 1 }), "$(bell-dot) Helm: auto, codex");
  assert.equal(text({ standing: "idle", status: undefined }), "$(circle-slash) Helm: auto");
  assert.equal(text({ standing: "failed", status: undefined }), "$(warning) Helm: auto");
  assert.equal(text({ standing: "reconnecting", status: undefined }), "$(sync~spin) Helm: auto");
});

test("a state that is not known is told as it is", () => {
  assert.match(view({ ...FACTS, ...by("other") }).tooltip, /^\*\*Helm\*\* tepid\n/);
});

test("what needs the user stands out", () => {
  assert.equal(view({ ...FACTS, questions: 1 }).alarm, "warning");
  assert.equal(view({ ...FACTS, standing: "failed", fault: "It is not there." }).alarm, "error");
  assert.equal(view(FACTS).alarm, undefined);
});
