import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "open-think";

import { fake } from "./fake.js";
import { Home } from "./home.js";

const START = {
  status: "pending",
  deviceCode: "device",
  userCode: "ABCD-1234",
  verificationUri: "https://example.com/device",
  interval: 0,
};

async function signingIn(t: Parameters<typeof fake>[0], polls: object[]) {
  const asked: unknown[] = [];
  const socket = await fake(t, {
    "oauth.codex.deviceStart": () => START,
    "oauth.codex.devicePoll": (params) => {
      asked.push(params);
      return polls.shift() ?? { status: "pending", interval: 0 };
    },
    "oauth.codex.deviceCancel": (params) => {
      asked.push("cancel", params);
      return { cancelled: true };
    },
  });
  const client = await connect({ socket });
  t.after(() => client.close());
  return { client, asked };
}

test("a sign-in asks until it is complete", async (t) => {
  const complete = { status: "complete", login: { owner: "daemon", plan: "plus" } };
  const { client, asked } = await signingIn(t, [{ status: "pending", interval: 0 }, { status: "slow_down" }, complete]);
  const codes: object[] = [];
  assert.deepEqual(await client.signIn({ onCode: (code) => codes.push(code) }), complete);
  assert.deepEqual(codes, [{ userCode: START.userCode, verificationUri: START.verificationUri }]);
  assert.deepEqual(asked, Array(3).fill({ deviceCode: "device" }));
});

test("a sign-in that is refused fails", async (t) => {
  const { client } = await signingIn(t, [{ status: "denied", message: "You said no.", hint: "Try again." }]);
  const wanted = { code: "E_AUTH", message: "You said no.", hint: "Try again." };
  await assert.rejects(client.signIn({ onCode: () => undefined }), wanted);
});

test("a sign-in can be given up", async (t) => {
  const { client, asked } = await signingIn(t, []);
  const stop = new AbortController();
  const given = client.signIn({ onCode: () => stop.abort(), signal: stop.signal });
  await assert.rejects(given, { code: "E_CANCELLED" });
  assert.deepEqual(asked, ["cancel", { deviceCode: "device" }]);
});

test("without a way to sign in the daemon says what is missing", async (t) => {
  const client = await (await Home.make(t)).connect();
  await assert.rejects(client.signIn({ onCode: () => undefined }), { code: "E_AUTH" });
});
