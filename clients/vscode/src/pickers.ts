// Choosing the mode, the provider and the model. What is chosen is a setting.

import { window } from "vscode";

import type { Mode, ModelRow, ProviderRow } from "open-think";

import type { Daemon } from "./daemon.js";
import { keep, MODES, settings } from "./settings.js";

export async function pickMode(): Promise<void> {
  const { mode: now } = settings();
  const items = (Object.keys(MODES) as Mode[]).map((mode) => ({
    label: mode,
    description: mode === now ? "chosen" : "",
    detail: MODES[mode],
  }));
  const picked = await window.showQuickPick(items, { title: "Mode" });
  if (picked !== undefined) await keep("mode", picked.label);
}

export async function pickProvider(daemon: Daemon): Promise<void> {
  const { provider: now } = settings();
  const providers = await daemon.call("providers.list", (client) => client.providers());
  const items = [
    { label: "Default", description: now === undefined ? "chosen" : "", detail: "As the daemon is configured", row: undefined },
    ...providers.map((row) => ({ label: row.id, description: standing(row, now), detail: row.description, row })),
  ];
  const picked = await window.showQuickPick(items, { title: "Provider", matchOnDetail: true });
  if (picked === undefined) return;
  const { row } = picked;
  if (row === undefined) return keepBoth(undefined, undefined);
  if (!isUsable(row)) return void window.showInformationMessage(wayIn(row));
  const model = await pickModel(daemon, row);
  if (model !== undefined) await keepBoth(row.id, model.id);
}

async function keepBoth(provider: string | undefined, model: string | undefined): Promise<void> {
  await keep("model", model);
  await keep("provider", provider);
}

/** None where nothing was picked; no id for the provider's default. */
async function pickModel(daemon: Daemon, { id, defaultModel }: ProviderRow): Promise<{ id: string | undefined } | undefined> {
  const models = await daemon.call("providers.models", (client) => client.models(id)).catch((): ModelRow[] => []);
  const usual = { label: "Default model", description: defaultModel ?? "", id: undefined };
  const other = { label: "Another…", description: "by its name", id: "" };
  const known = models.map((model) => ({ label: model.id, description: model.name ?? "", id: model.id }));
  const picked = await window.showQuickPick([usual, ...known, other], { title: `Model of ${id}` });
  if (picked?.id !== "") return picked;
  const name = await window.showInputBox({ title: `Model of ${id}`, prompt: "Its name" });
  return name ? { id: name } : undefined;
}

function standing(row: ProviderRow, now: string | undefined): string {
  const known = isUsable(row) ? [row.state === "unknown" ? "configured" : row.state] : ["not configured"];
  return [...known, ...(row.id === now ? ["chosen"] : []), ...(row.default ? ["default"] : [])].join(", ");
}

function isUsable({ enabled, configured }: ProviderRow): boolean {
  return enabled && configured;
}

function wayIn({ id, hint, missing }: ProviderRow): string {
  const way = hint ?? (missing.length > 0 ? `set ${missing.join(", ")}` : "enable it in the daemon's configuration");
  return `${id} cannot be used yet: ${way}`;
}
