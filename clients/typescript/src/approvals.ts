// Asking the user about held actions, once, on however many connections the daemon asks.

import type { ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, Decision } from "./protocol.js";

/** No answer leaves the actions held: they are not run, and can be decided later. */
export type Approve = (
  request: ApprovalParams,
  /** `signal` is aborted when the answer no longer counts. */
  context: { signal: AbortSignal },
) => Promise<Answer>;

export type Answer = Decision | ApprovalAnswer | undefined;

/** The most milliseconds that a timer counts. */
const LONGEST = 2 ** 31 - 1;

interface Open {
  answer: Promise<ApprovalAnswer>;
  over: AbortController;
}

export class Approvals {
  readonly #approve: Approve;
  readonly #open = new Map<string, Open>();

  constructor(approve: Approve) {
    this.#approve = approve;
  }

  /** Rejects where there is no answer, which the daemon takes for none. */
  ask(request: ApprovalParams): Promise<ApprovalAnswer> {
    const { approvalId } = request;
    const open = this.#open.get(approvalId) ?? this.#begin(request);
    this.#open.set(approvalId, open);
    return open.answer;
  }

  resolved({ approvalId }: ApprovalResolvedParams): void {
    this.#end(approvalId, "it was decided elsewhere");
  }

  /** No answer reaches the daemon any more. */
  lost(): void {
    for (const approvalId of this.#open.keys()) this.#end(approvalId, "the connection is lost");
  }

  #begin(request: ApprovalParams): Open {
    const over = new AbortController();
    const { approvalId, deadlineMs } = request;
    // The question may come a second time, on another connection, until it is settled or the time is up.
    const deadline = setTimeout(() => this.#end(approvalId, "the time is up"), Math.min(deadlineMs, LONGEST)).unref();
    over.signal.addEventListener("abort", () => clearTimeout(deadline));
    const aborted = new Promise<never>((_, reject) => {
      over.signal.addEventListener("abort", () => reject(over.signal.reason));
    });
    return { answer: Promise.race([this.#decide(request, over.signal), aborted]), over };
  }

  async #decide(request: ApprovalParams, signal: AbortSignal): Promise<ApprovalAnswer> {
    let answer: Answer;
    try {
      answer = await this.#approve(request, { signal });
    } catch (error) {
      if (!signal.aborted) process.emitWarning(`approve: ${String(error)}`);
      throw error;
    }
    if (answer === undefined) throw new Error("nobody decided");
    return typeof answer === "string" ? { decision: answer } : answer;
  }

  #end(approvalId: string, why: string): void {
    const open = this.#open.get(approvalId);
    this.#open.delete(approvalId);
    open?.over.abort(new Error(why));
  }
}
