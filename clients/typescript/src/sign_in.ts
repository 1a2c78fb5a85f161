// Signing in to ChatGPT by device code: the user goes somewhere and types something in, while we ask how far that is.

import { pause } from "./abort.js";
import { OpenThinkError } from "./error.js";
import type { DevicePollResult, DeviceStartResult, Requests } from "./protocol.js";

export interface SignInOptions {
  /** Shows the user where to go and what to type in there. */
  onCode(code: { userCode: string; verificationUri: string; verificationUriComplete?: string }): void;
  /** Gives the sign-in up. */
  signal?: AbortSignal;
}

type Request = <Method extends keyof Requests>(
  method: Method,
  params: Requests[Method]["params"],
  options?: { signal?: AbortSignal | undefined },
) => Promise<Requests[Method]["result"]>;

type Progress = DeviceStartResult | DevicePollResult;

/** Seconds between two questions where the daemon names none. */
const INTERVAL = 5;

/** Returns once somebody is signed in. */
export async function signIn(request: Request, { onCode, signal }: SignInOptions): Promise<DevicePollResult> {
  const start = await request("oauth.codex.deviceStart", {}, { signal });
  const { deviceCode, userCode, verificationUri, verificationUriComplete } = start;
  if (!goesOn(start)) return start;
  if (!deviceCode || !userCode || !verificationUri) throw failed(start);
  onCode({ userCode, verificationUri, ...(verificationUriComplete ? { verificationUriComplete } : {}) });
  let interval = start.interval ?? INTERVAL;
  try {
    for (;;) {
      await pause(interval * 1000, signal);
      const poll = await request("oauth.codex.devicePoll", { deviceCode }, { signal });
      if (!goesOn(poll)) return poll;
      interval = poll.interval ?? interval;
    }
  } catch (error) {
    if (signal?.aborted) await request("oauth.codex.deviceCancel", { deviceCode }).catch(() => undefined);
    throw error;
  }
}

/** False once it is complete. */
function goesOn(progress: Progress): boolean {
  if (progress.status === "complete") return false;
  if (progress.status === "pending" || progress.status === "slow_down") return true;
  throw failed(progress);
}

function failed({ status, message, hint }: Progress): OpenThinkError {
  const facts = { code: "E_AUTH", number: 0, hint: hint ?? undefined };
  return new OpenThinkError(message ?? `the sign-in ended: ${status}`, facts);
}
