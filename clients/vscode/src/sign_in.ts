// Signing in to Codex by device code.

import { env, ProgressLocation, Uri, window } from "vscode";

import type { DevicePollResult } from "open-think";

import type { Daemon } from "./daemon.js";

const COPY = "Copy Code and Open Browser";

export async function signIn(daemon: Daemon): Promise<void> {
  const options = { location: ProgressLocation.Notification, title: "Signing in to Codex", cancellable: true };
  const done = await window.withProgress(options, (progress, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    return daemon.call("sign-in", (client) =>
      client.signIn({
        signal: stop.signal,
        onCode({ userCode, verificationUri, verificationUriComplete }) {
          progress.report({ message: `type ${userCode} at ${verificationUri}` });
          void lead(userCode, verificationUriComplete ?? verificationUri);
        },
      }),
    );
  });
  void window.showInformationMessage(`Signed in to Codex${whose(done)}.`);
}

async function lead(userCode: string, place: string): Promise<void> {
  const way = await window.showInformationMessage(`Your code is ${userCode}.`, COPY, "Copy Code");
  if (way === undefined) return;
  await env.clipboard.writeText(userCode);
  const uri = Uri.parse(place);
  // Nothing but pages is opened on another's word.
  if (way === COPY && ["https", "http"].includes(uri.scheme)) await env.openExternal(uri);
}

function whose({ login }: DevicePollResult): string {
  const who = login?.email ?? login?.account;
  return who ? ` as ${who}` : "";
}
