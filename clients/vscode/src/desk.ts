// The questions whether held actions may run: shown where their turn is, answered once.

import { commands, EventEmitter, window } from "vscode";
import type { Disposable } from "vscode";

import type { Answer, ApprovalParams, ApprovalResolvedParams, Decision, SuggestedAction } from "open-think";

import { json } from "./markdown.js";

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
      this.#update();
    };
    return new Promise<Answer>((resolve) => {
      const decide = (decision: Decision): void => {
        close(decision === "approve" ? "You approved." : "You denied.");
        resolve(decision);
      };
      // What was decided is told right after.
      const over = (): void => queueMicrotask(() => {
        close(this.#elsewhere(id, signal.reason));
        resolve(undefined);
      });
      signal.addEventListener("abort", over, { once: true });
      const question: Open = { id, sessionName, actions, settled, decide };
      this.#open.set(id, question);
      this.#update();
      (this.#watchers.get(sessionName) ?? notify(this))(question);
    });
  };

  /** Told by the daemon where it was not decided here. */
  resolved({ approvalId, decision }: ApprovalResolvedParams): void {
    if (this.#open.has(approvalId) && decision) this.#decisions.set(approvalId, decision);
  }

  /** Without an id it is the oldest, which is then shown once more. */
  async decide(id: string | undefined, decision: Decision): Promise<void> {
    if (id === undefined) return this.review(decision);
    const open = this.#open.get(id);
    if (open !== undefined) return open.decide(decision);
    void window.showInformationMessage(this.#ends.get(id) ?? "That is no longer asked.");
  }

  /** Asks about the oldest in a dialog. */
  async review(wanted?: Decision): Promise<void> {
    const [oldest] = this.#open.values();
    if (oldest === undefined) return void window.showInformationMessage("Nothing waits for a decision.");
    const buttons = wanted === undefined ? ["Approve", "Deny"] : [wanted === "approve" ? "Approve" : "Deny"];
    const options = { modal: true, detail: detail(oldest.actions) };
    const answer = await window.showWarningMessage(title(oldest.actions), options, ...buttons);
    const decision = decisionOf(answer);
    if (decision !== undefined) await this.decide(oldest.id, decision);
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

  #update(): void {
    void commands.executeCommand("setContext", "openThink.asking", this.#open.size > 0);
    this.#changed.fire();
  }
}

/** Asks in a notification, which may be answered late. */
export function notify(desk: Desk): Show {
  return ({ id, actions }) => {
    const ask = async (): Promise<void> => {
      const answer = await window.showWarningMessage(title(actions), "Approve", "Deny", "Show Input");
      if (answer === "Show Input") return desk.review();
      const decision = decisionOf(answer);
      if (decision !== undefined) await desk.decide(id, decision);
    };
    void ask();
  };
}

function decisionOf(answer: string | undefined): Decision | undefined {
  if (answer === "Approve") return "approve";
  return answer === "Deny" ? "deny" : undefined;
}

function title(actions: SuggestedAction[]): string {
  return `Helm wants to run ${actions.map(({ skill }) => skill).join(", ")}.`;
}

function detail(actions: SuggestedAction[]): string {
  return actions.map(({ skill, input }) => `${skill}\n${json(input)}`).join("\n\n");
}
