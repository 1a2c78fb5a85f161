// A skill that a program offers to Helm.

export interface ClientSkill {
  /** Kebab-case, such as `editor-open-file`, and nobody else's. */
  id: string;
  /** Tells a model what it is good for. */
  description: string;
  /** A JSON Schema, which every input is checked against before the handler sees it. Default: anything. */
  inputSchema?: unknown;
  /** Whether it is held for approval in `selective`. Default: true. */
  dangerous?: boolean;
  /** Milliseconds that the handler has. Default: 60000. */
  timeoutMs?: number;
}

/** What it returns must be JSON. The message of an error that it throws is what the model reads. */
export type SkillHandler<Input = unknown> = (input: Input, context: SkillContext) => unknown;

export interface SkillContext {
  /** Aborted when the answer no longer counts: the turn was interrupted, the time is up, or the connection is lost. */
  signal: AbortSignal;
  /** Where it is called in a turn. */
  sessionName: string | undefined;
  turnId: string | undefined;
}

/** @internal */
export interface SkillCallParams {
  skill: string;
  input?: unknown;
  sessionName?: string | null;
  turnId?: string | null;
  deadlineMs: number;
}

/** @internal */
export interface SkillCallResult {
  output: unknown;
}

export interface SkillRegistration {
  readonly id: string;
  /** The skill is no longer offered. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
