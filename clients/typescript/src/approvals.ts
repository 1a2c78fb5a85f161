// Asking the user about held actions.

import type { CancellationToken } from "vscode-jsonrpc/node";

import { checkJson } from "./json.js";
import type { ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, Decision } from "./protocol.js";
import { Questions } from "./questions.js";
import { warn } from "./warn.js";

/** No answer leaves the actions held: they are not run, and can be decided later. */
export type Approve = (
  request: ApprovalParams,
  /** `signal` is aborted when the answer no longer counts. */
  context: { signal: AbortSignal },
) => Promise<Answer>;

export type Answer = Decision | ApprovalAnswer | undefined;

const DECISIONS: Record<Decision, true> = { approve: true, deny: true };

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
    let answer: ApprovalAnswer | undefined;
    try {
      answer = decided(await this.#approve(request, { signal }));
    } catch (error) {
      if (!signal.aborted) warn("approve", error);
      throw error;
    }
    if (answer === undefined) throw new Error("nobody decided");
    return answer;
  }
}

function decided(given: Answer): ApprovalAnswer | undefined {
  // JavaScript gives what it likes.
  if ((given ?? undefined) === undefined) return undefined;
  const answer = typeof given === "string" ? { decision: given } : (given as ApprovalAnswer);
  checkJson(answer, "its answer");
  if (Object.hasOwn(DECISIONS, String(answer.decision))) return answer;
  throw new TypeError(`its answer ${JSON.stringify(given)} is no decision: the actions stay held`);
}
