// What an action would do, as people read it.

import type { SuggestedAction } from "open-think";

import { code, fenced, json } from "./markdown.js";

type Action = Pick<SuggestedAction, "skill" | "input">;

/** In Markdown. */
export function readable(action: Action): string {
  return edit(action) ?? fenced(json(action.input), "json");
}

/** Where Markdown is shown as it stands. */
export function readableText(action: Action): string {
  return edit(action) ?? json(action.input);
}

/** Nothing where something else than these three is in it, which is not to be hidden. */
function edit({ skill, input }: Action): string | undefined {
  if (skill !== "editor-apply-edit" || typeof input !== "object" || input === null) return undefined;
  const { path, oldText, newText, ...more } = input as Record<string, unknown>;
  const texts = [path, oldText, newText].filter((text) => typeof text === "string");
  if (texts.length < 3 || Object.keys(more).length > 0) return undefined;
  // That one ends with a line break is seen.
  const block = (text: unknown): string => fenced(`${String(text)}\n`);
  return `In ${code(String(path))}\n\n${block(oldText)}\n\nbecomes\n\n${block(newText)}`;
}
