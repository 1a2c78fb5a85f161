// What a turn's events look like to whoever reads along, in plain values. What is not known is passed over.

import type { Event, SuggestedAction, TurnResult } from "open-think";

import { code, plain } from "./markdown.js";
import { readable } from "./readable.js";

export interface Piece {
  /** `progress` is of the moment, and need not be kept. */
  kind: "markdown" | "progress";
  text: string;
}

export class Story {
  /** What was shown of each text block. */
  readonly #blocks = new Map<number, string>();
  #thinks = false;
  #missing = false;
  /** Whether the line that is shown last has more to come. */
  #open = false;

  take(event: Event): Piece[] {
    switch (event.kind) {
      case "turn-start":
        this.#blocks.clear();
        this.#thinks = false;
        return [{ kind: "progress", text: `Asking ${[event.provider, event.model].filter(Boolean).join(" ")}` }];
      case "reasoning-delta":
        if (this.#thinks) return [];
        this.#thinks = true;
        return [{ kind: "progress", text: "Thinking" }];
      case "text-start":
        return this.#open ? this.#say("\n\n") : [];
      case "text-delta":
        this.#blocks.set(event.index, (this.#blocks.get(event.index) ?? "") + event.text);
        return this.#say(event.text);
      case "text-stop":
        return this.#rest(event.index, event.text);
      case "tool-use-stop":
        return [{ kind: "progress", text: `Running ${event.name}` }];
      case "tool-result":
        return this.#note(
          event.ok
            ? `✓ ${code(event.skill)} ${event.durationMs} ms`
            : `✗ ${code(event.skill)} ${plain(event.error ?? "failed")}`,
        );
      case "tool-held":
        return [{ kind: "progress", text: `${event.skill} waits for your decision` }];
      case "attempt-failed":
        return this.#note(`_${plain(event.provider)}: ${plain(event.error)} What it has said here does not count._`);
      case "resync":
        this.#missing = true;
        return [];
      default:
        return [];
    }
  }

  /** Actions that somebody is asked about, with all of their input. */
  asks(actions: SuggestedAction[]): Piece[] {
    return this.#note(describe("Helm wants to run", actions));
  }

  /** What became of them. */
  settled(how: string): Piece[] {
    return this.#note(`_${plain(how)}_`);
  }

  end(result: TurnResult): Piece[] {
    const { suggestedActions, stopReason, assistantMessage, refusal } = result;
    const pieces: Piece[] = [];
    if (this.#missing && assistantMessage?.content) {
      pieces.push(
        ...this.#note("_Some of this was lost on its way. The answer is:_"),
        ...this.#note(assistantMessage.content),
      );
    }
    const why = ENDS[stopReason] ?? (stopReason === "end-turn" ? undefined : `Helm stopped: ${stopReason}.`);
    if (why !== undefined) pieces.push(...this.#note(`_${plain([why, refusal].filter(Boolean).join(" "))}_`));
    if (suggestedActions.length > 0) {
      pieces.push(...this.#note(describe(stopReason === "dangerous-skill" ? "Held" : "Proposed", suggestedActions)));
    }
    return pieces;
  }

  /** Text that did not come in parts, or whose parts were lost. */
  #rest(index: number, whole: string): Piece[] {
    const shown = this.#blocks.get(index) ?? "";
    this.#blocks.set(index, whole);
    return whole.startsWith(shown) && whole.length > shown.length ? this.#say(whole.slice(shown.length)) : [];
  }

  #say(text: string): Piece[] {
    this.#open = !text.endsWith("\n\n");
    return text === "" ? [] : [{ kind: "markdown", text }];
  }

  /** A paragraph of its own. */
  #note(text: string): Piece[] {
    return this.#say(`${this.#open ? "\n\n" : ""}${text}\n\n`);
  }
}

const ENDS: Record<string, string> = {
  "iteration-cap": "Helm wanted to go on, and may with another message.",
  "max-tokens": "The answer is longer than the model may write.",
  "context-exceeded": "The conversation is longer than the model can read. Begin a new one.",
  "dangerous-skill": "Actions wait for a decision.",
  cancelled: "Interrupted.",
  refusal: "The model declined.",
};

function describe(title: string, actions: SuggestedAction[]): string {
  const one = (action: SuggestedAction): string => {
    const { skill, reason } = action;
    return `**${title}** ${code(skill)}${reason ? ` (${plain(reason)})` : ""}\n\n${readable(action)}`;
  };
  return actions.map(one).join("\n\n");
}
