// The questions whether held actions may run: shown where their turn is, answered once.

import { EventEmitter, window } from "vscode";
import type { Disposable } from "vscode";

import type { Answer, ApprovalParams, ApprovalResolvedParams, Decision, SuggestedAction } from "open-think";

import { readableText } from "./readable.js";

export interface Question {
  id: string;
  sessionName: string;
  actions: SuggestedAction[];
  /** A sentence on what became of it. */
  settled: Promise<string>;
}

interface Open extends Question {
  decide(decision: Decision): void;
}

type Show = (question: Question) => void;

/** Questions whose end is remembered, for buttons that are pressed late. */
const REMEMBERED = 100;

export class Desk implements Disposable {
  readonly #open = new Map<string, Open>();
  readonly #ends = new Map<string, string>();
  readonly #watchers = new Map<string, Show>();
  readonly #decisions = new Map<string, string>();
  readonly #changed = new EventEmitter<void>();

  readonly onDidChange = this.#changed.event;

  get questions(): readonly Question[] {
    return [...this.#open.values()];
  }

  /** While it is not disposed of, questions of this session are shown there. */
  watch(sessionName: string, show: Show): Disposable {
    this.#watchers.set(sessionName, show);
    return { dispose: () => void (this.#watchers.get(sessionName) === show && this.#watchers.delete(sessionName)) };
  }

  /** What the daemon asks. No answer leaves the actions held. */
  readonly ask = (request: ApprovalParams, { signal }: { signal: AbortSignal }): Promise<Answer> => {
    const { approvalId: id, sessionName, actions } = request;
    let end!: (how: string) => void;
    const settled = new Promise<string>((resolve) => (end = resolve));
    const close = (how: string): void => {
      if (!this.#open.delete(id)) return;
      this.#remember(id, how);
      end(how);
      this.#changed.fire();
    };
    return new Promise<Answer>((resolve) => {
      const decide = (decision: Decision): void => {
        close(decision === "approve" ? "You approved." : "You denied.");
        resolve(decision);
      };
      // What was decided is told right after.
      const over = (): void =>
        queueMicrotask(() => {
          close(this.#elsewhere(id, signal.reason));
          resolve(undefined);
        });
      signal.addEventListener("abort", over, { once: true });
      const question: Open = { id, sessionName, actions, settled, decide };
      this.#open.set(id, question);
      this.#changed.fire();
      (this.#watchers.get(sessionName) ?? notify(this))(question);
    });
  };

  /** Told by the daemon where it was not decided here. */
  resolved({ approvalId, decision }: ApprovalResolvedParams): void {
    if (this.#open.has(approvalId) && decision) this.#decisions.set(approvalId, decision);
  }

  async decide(id: string, decision: Decision): Promise<void> {
    const open = this.#open.get(id);
    if (open !== undefined) return open.decide(decision);
    void window.showInformationMessage(this.#ends.get(id) ?? "That is no longer asked.");
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #elsewhere(id: string, reason: unknown): string {
    const decision = this.#decisions.get(id);
    this.#decisions.delete(id);
    if (decision === "approve") return "Another client approved.";
    if (decision === "deny") return "Another client denied.";
    const why = reason instanceof Error ? reason.message : "it was settled elsewhere";
    return `No longer asked: ${why}.`;
  }

  #remember(id: string, how: string): void {
    this.#ends.set(id, how);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > REMEMBERED && oldest !== undefined) this.#ends.delete(oldest);
  }

}

/** Asks in a notification, which may be answered late. */
export function notify(desk: Desk): Show {
  return ({ id, actions }) => {
    const ask = async (): Promise<void> => {
      const answer = await window.showWarningMessage(title(actions), "Approve", "Deny", "Show Input");
      const decision = answer === "Show Input" ? await confirm(actions) : decisionOf(answer);
      if (decision !== undefined) await desk.decide(id, decision);
    };
    void ask();
  };
}

/** Asks in a dialog, under all of the input. */
export async function confirm(actions: SuggestedAction[], wanted?: Decision): Promise<Decision | undefined> {
  const buttons = wanted === undefined ? ["Approve", "Deny"] : [wanted === "approve" ? "Approve" : "Deny"];
  const detail = actions.map((action) => `${action.skill}\n${readableText(action)}`).join("\n\n");
  return decisionOf(await window.showWarningMessage(title(actions), { modal: true, detail }, ...buttons));
}

export function decisionOf(answer: string | undefined): Decision | undefined {
  if (answer === "Approve") return "approve";
  return answer === "Deny" ? "deny" : undefined;
}

function title(actions: SuggestedAction[]): string {
  return `Helm wants to run ${actions.map(({ skill }) => skill).join(", ")}.`;
}
