// Files and selections that go along with a message.

import { Location, Uri, workspace } from "vscode";
import type { ChatPromptReference, Range, TextDocument, TextEditor } from "vscode";

import { fenced } from "./markdown.js";

/** Characters of one attachment. */
const LONGEST = 100_000;

export async function attach(content: string, references: readonly ChatPromptReference[]): Promise<string> {
  // Those named last in the text come first.
  const blocks = await Promise.all([...references].reverse().map(({ value, modelDescription }) => block(value, modelDescription)));
  return [content, ...blocks].join("\n\n");
}

export function selected({ document, selection }: TextEditor): string {
  return excerpt(document, selection);
}

/** What is selected to the end of a line does not reach into the next. */
export function lastLine({ start, end }: Range): number {
  return end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
}

async function block(value: unknown, description: string | undefined): Promise<string> {
  if (typeof value === "string") return fenced(value);
  try {
    if (value instanceof Uri) return excerpt(await workspace.openTextDocument(value));
    if (value instanceof Location) return excerpt(await workspace.openTextDocument(value.uri), value.range);
  } catch {
    const uri = value instanceof Location ? value.uri : (value as Uri);
    return `(${workspace.asRelativePath(uri)} cannot be read as text.)`;
  }
  return `(${description ?? "An attachment"} cannot be sent along.)`;
}

function excerpt(document: TextDocument, range?: Range): string {
  const path = workspace.asRelativePath(document.uri);
  const whole = document.getText(range);
  const text = whole.length > LONGEST ? `${whole.slice(0, LONGEST)}\n… (${whole.length - LONGEST} characters more)` : whole;
  const lines = range === undefined ? "" : `, lines ${range.start.line + 1} to ${lastLine(range) + 1}`;
  return `${path}${lines}:\n${fenced(text, document.languageId)}`;
}
