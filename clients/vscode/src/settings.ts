// What the user has set. It is read when it is needed, so that a change takes effect at once.

import { ConfigurationTarget, workspace } from "vscode";

import type { Mode } from "open-think";

export interface Settings {
  command: string;
  args: string[];
  connectOnStartup: boolean;
  mode: Mode;
  provider: string | undefined;
  model: string | undefined;
  editorSkills: boolean;
  trace: boolean;
}

export const SECTION = "openThink";

export const MODES: Record<Mode, string> = {
  propose: "Plan only",
  selective: "Run safe skills, and ask before dangerous ones",
  auto: "Run all skills without asking",
};

/** What has another type than it should counts as not set; the editor tells the user. */
export function settings(): Settings {
  const all = workspace.getConfiguration(SECTION);
  const text = (value: unknown): string | undefined => (typeof value === "string" && value.trim()) || undefined;
  const isOn = (value: unknown, usual: boolean): boolean => (typeof value === "boolean" ? value : usual);
  const mode = text(all.get<unknown>("mode"));
  const args = all.get<unknown>("args");
  return {
    command: text(all.get<unknown>("command")) ?? "open-think",
    args: Array.isArray(args) && args.every((one) => typeof one === "string") ? args : ["--stdio"],
    connectOnStartup: isOn(all.get<unknown>("connectOnStartup"), false),
    mode: isMode(mode) ? mode : "selective",
    provider: text(all.get<unknown>("provider")),
    model: text(all.get<unknown>("model")),
    editorSkills: isOn(all.get<unknown>("editorSkills"), true),
    trace: isOn(all.get<unknown>("trace"), false),
  };
}

export function isMode(name: string | undefined): name is Mode {
  return name !== undefined && Object.hasOwn(MODES, name);
}

/** For all windows; nothing where it is to be the default. */
export async function keep(name: keyof Settings, value: string | undefined): Promise<void> {
  await workspace.getConfiguration(SECTION).update(name, value, ConfigurationTarget.Global);
}
