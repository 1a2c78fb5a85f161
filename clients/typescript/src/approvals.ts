// Asking the user about held actions.

import type { CancellationToken } from "vscode-jsonrpc/node";

import type { ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, Decision } from "./protocol.js";
import { Questions } from "./questions.js";

/** No answer leaves the actions held: they are not run, and can be decided later. */
export type Approve = (
  request: ApprovalParams,
  /** `signal` is aborted when the answer no longer counts. */
  context: { signal: AbortSignal },
) => Promise<Answer>;

export type Answer = Decision | ApprovalAnswer | undefined;

export class Approvals {
  readonly #approve: Approve;
  readonly #questions = new Questions();

  constructor(approve: Approve) {
    this.#approve = approve;
  }

  /** Rejects where there is no answer, which the daemon takes for none. */
  ask(request: ApprovalParams, token: CancellationToken): Promise<ApprovalAnswer> {
    const { approvalId: id, deadlineMs } = request;
    return this.#questions.ask({ id, deadlineMs, token }, (signal) => this.#decide(request, signal));
  }

  resolved({ approvalId }: ApprovalResolvedParams): void {
    this.#questions.end(approvalId, "it was decided elsewhere");
  }

  lost(): void {
    this.#questions.lost();
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
}
