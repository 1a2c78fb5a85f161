// Everything that goes wrong reaches the user as one kind of error.

import { ConnectionError, ErrorCodes, ResponseError } from "vscode-jsonrpc/node";

import type { Code, ErrorData, Open } from "./protocol.js";

/** What goes wrong on this side of the connection. */
export type LocalCode = "E_CONNECT" | "E_CONNECTION_LOST" | "E_CLOSED" | "E_FRAME_TOO_LONG" | "E_UNKNOWN";

export interface ErrorFacts {
  code: Open<Code | LocalCode>;
  number: number;
  retryable?: boolean;
  retryAfterMs?: number | undefined;
  hint?: string | undefined;
  data?: Partial<ErrorData> | undefined;
  cause?: unknown;
}

/** A request that was refused, failed, was cancelled, or lost its connection. */
export class OpenThinkError extends Error {
  override readonly name = "OpenThinkError";
  /** What to branch on, such as `E_NO_PROVIDER`. */
  readonly code: Open<Code | LocalCode>;
  /** The number of the JSON-RPC error; 0 where this side found the fault. */
  readonly number: number;
  /** Whether the same may go well another time. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** All that the daemon said. */
  readonly data: Partial<ErrorData> | undefined;

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.number = facts.number;
    this.retryable = facts.retryable ?? false;
    this.retryAfterMs = facts.retryAfterMs;
    this.hint = facts.hint;
    this.data = facts.data;
  }
}

export function cancelled(signal: AbortSignal | undefined): OpenThinkError {
  const facts = { code: "E_CANCELLED", number: -32800, cause: signal?.reason };
  return new OpenThinkError("the request was cancelled", facts);
}

export function closed(): OpenThinkError {
  return new OpenThinkError("the client is closed", { code: "E_CLOSED", number: 0 });
}

export function lost(cause?: unknown): OpenThinkError {
  const facts = { code: "E_CONNECTION_LOST", number: 0, retryable: true, cause };
  return new OpenThinkError("the connection to open-think is lost", facts);
}

/** What `vscode-jsonrpc` rejects with, or a daemon said in the event `error`. */
export function errorOf(error: unknown, signal?: AbortSignal): OpenThinkError {
  if (error instanceof OpenThinkError) return error;
  if (error instanceof ConnectionError) return lost(error);
  if (!(error instanceof ResponseError)) {
    return new OpenThinkError(String(error), { code: "E_UNKNOWN", number: 0, cause: error });
  }
  // The library's own, which come without data; a daemon may use the same numbers.
  const { PendingResponseRejected, MessageWriteError } = ErrorCodes;
  const isOwn = error.data === undefined || error.data === null;
  if (isOwn && (error.code === PendingResponseRejected || error.code === MessageWriteError)) return lost(error);
  const data = (error.data ?? undefined) as Partial<ErrorData> | undefined;
  return new OpenThinkError(error.message, {
    code: data?.code ?? "E_UNKNOWN",
    number: error.code,
    retryable: data?.retryable ?? false,
    retryAfterMs: data?.retryAfterMs ?? undefined,
    hint: data?.hint ?? undefined,
    data,
    cause: signal?.aborted ? signal.reason : undefined,
  });
}
