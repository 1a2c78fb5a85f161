// What goes wrong, as a sentence with a way out.

import { commands, window } from "vscode";

import { OpenThinkError } from "open-think";

/** Messages that are on the screen; the same is not said twice at a time. */
const shown = new Set<string>();

export function isCancelled(error: unknown): boolean {
  return error instanceof OpenThinkError && error.code === "E_CANCELLED";
}

/** What happened, and what to do about it. */
export function explain(error: unknown): string {
  if (!(error instanceof OpenThinkError)) return error instanceof Error ? error.message : String(error);
  const hint = isUnreachable(error) ? "Install open-think, or say where it is in the setting openThink.command." : error.hint;
  return [error.message, hint ?? ""].filter((part) => part !== "").map(sentence).join(" ");
}

/** On the screen, with buttons that lead on. */
export async function tell(error: unknown, again?: () => unknown): Promise<void> {
  const message = explain(error);
  if (isCancelled(error) || shown.has(message)) return;
  shown.add(message);
  const ways = [...(isUnreachable(error) ? ["Open Settings"] : []), ...(again ? ["Try Again"] : []), "Show Output"];
  try {
    const way = await window.showErrorMessage(message, ...ways);
    shown.delete(message);
    if (way === "Open Settings") await commands.executeCommand("workbench.action.openSettings", "openThink.command");
    if (way === "Show Output") await commands.executeCommand("openThink.showOutput");
    if (way === "Try Again") await again?.();
  } catch (fault) {
    void tell(fault, again);
  } finally {
    shown.delete(message);
  }
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof OpenThinkError && error.code === "E_CONNECT";
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
