// Running one skill, without a model.

import { ProgressLocation, window } from "vscode";

import type { SkillRow } from "open-think";

import type { Daemon } from "./daemon.js";
import type { Documents } from "./documents.js";
import { json } from "./markdown.js";
import { readableText } from "./readable.js";

interface Schema {
  properties?: Record<string, { type?: unknown; default?: unknown }>;
  required?: string[];
}

export async function invokeSkill(daemon: Daemon, documents: Documents): Promise<void> {
  const skill = await pick(await daemon.call("skills.list", (client) => client.skills()));
  const input = skill && (await inputFor(skill));
  if (skill === undefined || input === undefined) return;
  if (skill.dangerous && !(await isConfirmed(skill, input))) return;
  const options = { location: ProgressLocation.Notification, title: `Running ${skill.id}`, cancellable: true };
  const output = await window.withProgress(options, (_, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    return daemon.call("skills.invoke", (client) =>
      client.invoke(skill.id, input, { confirm: skill.dangerous, signal: stop.signal }),
    );
  });
  await documents.show(`/${skill.id}.json`, `${json(output)}\n`);
}

async function pick(skills: SkillRow[]): Promise<SkillRow | undefined> {
  const items = skills.map((skill) => ({
    label: skill.dangerous ? `$(warning) ${skill.id}` : skill.id,
    description: skill.plugin,
    detail: skill.description,
    skill,
  }));
  const options = { title: "Invoke Skill", matchOnDescription: true, matchOnDetail: true };
  return (await window.showQuickPick(items, options))?.skill;
}

async function inputFor({ id, inputSchema }: SkillRow): Promise<object | undefined> {
  const schema = (inputSchema ?? {}) as Schema;
  if (Object.keys(schema.properties ?? {}).length === 0 && schema.required === undefined) return {};
  const value = JSON.stringify(begun(schema));
  const known = Object.keys(schema.properties ?? {}).join(", ");
  const text = await window.showInputBox({
    title: id,
    prompt: `The input, as JSON${known === "" ? "" : `: ${known}`}`,
    value,
    ignoreFocusOut: true,
    validateInput: (text) => fault(text, schema),
  });
  return text === undefined ? undefined : (JSON.parse(text) as object);
}

/** What is wrong with an input. The daemon looks closer. */
export function fault(text: string, { required = [] }: Schema): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "An object is needed, as in {}.";
  const missing = required.filter((name) => !Object.hasOwn(value, name));
  return missing.length === 0 ? undefined : `Missing: ${missing.join(", ")}`;
}

const EMPTY: Record<string, unknown> = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} };

/** The members that have to be there. */
function begun({ properties = {}, required = [] }: Schema): object {
  const value = (name: string): unknown => properties[name]?.default ?? EMPTY[String(properties[name]?.type)] ?? null;
  return Object.fromEntries(required.map((name) => [name, value(name)]));
}

async function isConfirmed({ id }: SkillRow, input: object): Promise<boolean> {
  const options = { modal: true, detail: readableText({ skill: id, input }) };
  return (await window.showWarningMessage(`${id} is dangerous. Run it?`, options, "Run")) === "Run";
}
