// Waiting, until somebody no longer wants to.

import { OpenThinkError } from "open-think";

/** What comes of it, or a cancellation if that is first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new OpenThinkError("the request was cancelled", { code: "E_CANCELLED", number: -32800 }));
  });
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
