// The skills that this client offers: registered, called, and registered again on every new connection.

import type { CancellationToken } from "vscode-jsonrpc/node";
import { ErrorCodes, ResponseError } from "vscode-jsonrpc/node";

import { asyncDispose } from "./dispose.js";
import { OpenThinkError } from "./error.js";
import { checkJson } from "./json.js";
import type { Ask } from "./link.js";
import type { ClientSkill, SkillCallParams, SkillCallResult } from "./protocol.js";
import { Questions } from "./questions.js";
import type { SkillContext, SkillHandler, SkillRegistration } from "./skill.js";
import { warn } from "./warn.js";

interface Offer {
  skill: ClientSkill;
  // Its input is what the schema of the skill says.
  handler: SkillHandler<never>;
}

/** The number of the error that says that a skill failed. */
const SKILL_FAILED = -32803;

/** Characters of a fault that are told. */
const LONGEST_FAULT = 64 * 1024;

export class Skills {
  readonly #ask: Ask;
  readonly #offers = new Map<string, Offer>();
  readonly #calls = new Questions();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async register(skill: ClientSkill, handler: SkillHandler<never>): Promise<SkillRegistration> {
    const offer = { skill, handler };
    await this.#ask("skills.register", { skills: [skill] }).catch((error: OpenThinkError) => {
      const message = `the skill ${skill.id} is not offered: ${error.message}`;
      throw new OpenThinkError(message, { ...error, cause: error });
    });
    this.#offers.set(skill.id, offer);
    const dispose = (): Promise<void> => this.#withdraw(offer);
    return { id: skill.id, dispose, [asyncDispose]: dispose };
  }

  /** What the handler gives; a fault is told by its message alone. */
  async call(params: SkillCallParams, token: CancellationToken): Promise<SkillCallResult> {
    const { skill, input, deadlineMs } = params;
    const handler = this.#offers.get(skill)?.handler as SkillHandler | undefined;
    if (handler === undefined) throw new ResponseError(ErrorCodes.InvalidParams, `${skill} is no longer offered`);
    const context = { sessionName: params.sessionName ?? undefined, turnId: params.turnId ?? undefined };
    const question = { id: {}, deadlineMs, token };
    try {
      return await this.#calls.ask(question, (signal) => run(handler, input, { ...context, signal }));
    } catch (error) {
      const message = error instanceof Error ? error.message || error.name : String(error);
      throw new ResponseError(SKILL_FAILED, message.slice(0, LONGEST_FAULT));
    }
  }

  /** On a new connection, by which `ask` asks. One at a time: an id of the daemon's own takes no other with it. */
  again(ask: Ask): void {
    for (const { skill } of this.#offers.values()) {
      ask("skills.register", { skills: [skill] }).catch(({ code, message }: OpenThinkError) => {
        // The next connection begins anew.
        if (code === "E_CONNECTION_LOST" || code === "E_CLOSED") return;
        warn(`the skill ${skill.id} is no longer offered`, message);
      });
    }
  }

  lost(): void {
    this.#calls.lost();
  }

  async #withdraw(offer: Offer): Promise<void> {
    const { id } = offer.skill;
    // Another may have taken its place.
    if (this.#offers.get(id) !== offer) return;
    this.#offers.delete(id);
    // Where there is no connection there is nothing to end.
    await this.#ask("skills.unregister", { skills: [id] }).catch(() => undefined);
  }
}

async function run(handler: SkillHandler, input: unknown, context: SkillContext): Promise<SkillCallResult> {
  const output = (await handler(input, context)) ?? null;
  checkJson(output, "what the skill gives");
  return { output };
}
