// What a program says and hears of a skill that it offers to Helm.

/** What it returns must be JSON, at most 1 MiB. The message of an error that it throws is what the model reads. */
export type SkillHandler<Input = unknown> = (input: Input, context: SkillContext) => unknown;

export interface SkillContext {
  /** Aborted when the answer no longer counts: the turn was interrupted, the time is up, or the connection is lost. */
  signal: AbortSignal;
  /** Where it is called in a turn. */
  sessionName: string | undefined;
  turnId: string | undefined;
}

export interface SkillRegistration {
  readonly id: string;
  /** The skill is no longer offered. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
