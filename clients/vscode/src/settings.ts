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

export function settings(): Settings {
  const all = workspace.getConfiguration(SECTION);
  const mode = all.get<string>("mode", "selective");
  return {
    command: all.get<string>("command", "").trim() || "open-think",
    args: all.get<string[]>("args", ["--stdio"]),
    connectOnStartup: all.get<boolean>("connectOnStartup", false),
    mode: isMode(mode) ? mode : "selective",
    provider: all.get<string>("provider", "").trim() || undefined,
    model: all.get<string>("model", "").trim() || undefined,
    editorSkills: all.get<boolean>("editorSkills", true),
    trace: all.get<boolean>("trace", false),
  };
}

export function isMode(name: string | undefined): name is Mode {
  return name !== undefined && Object.hasOwn(MODES, name);
}

/** For all windows; nothing where it is to be the default. */
export async function keep(name: keyof Settings, value: string | undefined): Promise<void> {
  await workspace.getConfiguration(SECTION).update(name, value, ConfigurationTarget.Global);
}
