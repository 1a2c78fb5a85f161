// What the status bar shows, in plain values.

import type { StatusResult } from "open-think";

import type { Standing } from "./daemon.js";
import { code, plain } from "./markdown.js";
import type { Settings } from "./settings.js";

export interface Facts {
  standing: Standing;
  /** Why the connection failed. */
  fault?: string | undefined;
  /** Turns of this window. */
  turns: number;
  /** Questions that wait for an answer here. */
  questions: number;
  /** As the daemon told last. */
  status?: StatusResult | undefined;
  settings: Pick<Settings, "mode" | "provider" | "model">;
}

export interface View {
  text: string;
  /** Markdown. */
  tooltip: string;
  alarm?: "error" | "warning";
}

export function view(facts: Facts): View {
  const { questions, turns, standing, fault, settings } = facts;
  const provider = providerOf(facts);
  const name = `Helm: ${settings.mode}${provider === undefined ? "" : `, ${provider}`}`;
  const [icon, state] = symbol(facts);
  return {
    text: `$(${icon}) ${name}`,
    tooltip: tooltip(facts, state),
    ...(questions > 0 ? { alarm: "warning" as const } : {}),
    ...(standing === "failed" && turns === 0 && fault !== undefined ? { alarm: "error" as const } : {}),
  };
}

function symbol(facts: Facts): [string, string] {
  const { questions, turns, standing, status } = facts;
  if (questions > 0) return ["bell-dot", "Waits for your decision"];
  if (standing === "failed") return ["warning", "Not running"];
  if (standing === "idle") return ["circle-slash", "Not connected"];
  if (standing !== "connected") return ["sync~spin", standing === "connecting" ? "Connecting" : "Reconnecting"];
  if (turns > 0) return ["sync~spin", "Working"];
  const warmth = status?.providers.find(({ id }) => id === providerOf(facts))?.state;
  if (warmth === "warm") return ["flame", "Warm"];
  if (warmth === "down") return ["alert", "The provider is down"];
  return ["circle-outline", warmth === undefined || warmth === "cold" ? "Cold" : warmth];
}

function providerOf({ settings, status }: Facts): string | undefined {
  return settings.provider ?? status?.defaultProvider ?? undefined;
}

function tooltip(facts: Facts, state: string): string {
  const { fault, settings, status } = facts;
  const lines = [`**Helm** ${plain(state)}`];
  if (fault !== undefined) lines.push(plain(fault));
  lines.push(`Mode ${code(settings.mode)}`);
  const provider = providerOf(facts);
  if (provider !== undefined) lines.push(`Provider ${code([provider, settings.model].filter(Boolean).join("/"))}`);
  if (status !== undefined) {
    const { version, pid, clients, runningTurns, skills, usage } = status;
    lines.push(`open-think ${plain(version)}, process ${pid}`);
    lines.push(`${clients} clients, ${runningTurns.length} running turns, ${skills} skills`);
    if (usage) lines.push(`Today ${usage.calls} calls, ${usage.costUsd.toFixed(2)} US dollars`);
  }
  return lines.join("\n\n");
}
