// What Helm can do in this editor. Lines count from 1.

import {
  DiagnosticSeverity,
  EndOfLine,
  languages,
  Position,
  Range,
  Selection,
  Uri,
  window,
  workspace,
  WorkspaceEdit,
} from "vscode";
import type { Diagnostic, TextDocument } from "vscode";

import type { SkillContext, ClientSkill } from "open-think";

import { lastLine } from "./attachments.js";
import { workingEditor } from "./documents.js";
import { editableInWorkspace, fileInWorkspace, isInWorkspace } from "./workspace_path.js";

export interface EditorSkill {
  offer: ClientSkill;
  run(input: Record<string, unknown>, context: SkillContext): Promise<unknown>;
}

/** Diagnostics that are told at once, the worst first. */
const MOST = 500;

const SEVERITIES: Record<DiagnosticSeverity, string> = {
  [DiagnosticSeverity.Error]: "error",
  [DiagnosticSeverity.Warning]: "warning",
  [DiagnosticSeverity.Information]: "information",
  [DiagnosticSeverity.Hint]: "hint",
};

const text = { type: "string" };
const path = { type: "string", description: "Relative to the workspace." };

export const EDITOR_SKILLS: EditorSkill[] = [
  {
    offer: {
      id: "editor-open-file",
      description: "Shows a file of the workspace in the user's editor, at a line if one is given.",
      inputSchema: schema({ path, line: { type: "integer", minimum: 1 } }, ["path"]),
      dangerous: false,
    },
    run: openFile,
  },
  {
    offer: {
      id: "editor-read-selection",
      description: "Reads what the user has selected in the editor, and tells in which file and lines it is.",
      inputSchema: schema({}, []),
      dangerous: false,
    },
    run: readSelection,
  },
  {
    offer: {
      id: "editor-list-diagnostics",
      description: "Lists the errors and warnings that the editor shows, of one file of the workspace or of all.",
      inputSchema: schema({ path }, []),
      dangerous: false,
    },
    run: listDiagnostics,
  },
  {
    offer: {
      id: "editor-apply-edit",
      description: "Replaces a text that stands exactly once in a file of the workspace. The user can undo it.",
      inputSchema: schema({ path, oldText: text, newText: text }, ["path", "oldText", "newText"]),
      dangerous: true,
    },
    run: applyEdit,
  },
];

async function openFile({ path, line }: Record<string, unknown>): Promise<unknown> {
  const document = await workspace.openTextDocument(await fileInWorkspace(String(path)));
  const last = document.lineCount;
  const shown = typeof line === "number" ? Math.min(Math.max(1, Math.trunc(line)), last) : undefined;
  const at = new Position((shown ?? 1) - 1, 0);
  await window.showTextDocument(document, shown === undefined ? {} : { selection: new Selection(at, at) });
  return { path: workspace.asRelativePath(document.uri), ...(shown === undefined ? {} : { line: shown }) };
}

async function readSelection(): Promise<unknown> {
  const editor = workingEditor();
  if (editor === undefined) throw new Error("no file is open in the editor");
  const { document, selection } = editor;
  if (!document.isUntitled && !(await isInWorkspace(document.uri))) {
    throw new Error("what the user has in the editor is outside the workspace");
  }
  return {
    path: workspace.asRelativePath(document.uri),
    languageId: document.languageId,
    text: document.getText(selection),
    startLine: selection.start.line + 1,
    endLine: lastLine(selection) + 1,
  };
}

async function listDiagnostics({ path }: Record<string, unknown>): Promise<unknown> {
  const all = path === undefined || path === null ? await ofAll() : [await ofOne(await fileInWorkspace(String(path)))];
  const diagnostics = all
    .flatMap(([uri, found]) => found.map((diagnostic) => ({ uri, diagnostic })))
    .sort((one, other) => one.diagnostic.severity - other.diagnostic.severity)
    .slice(0, MOST)
    .map(({ uri, diagnostic: { range, severity, message, source } }) => ({
      path: workspace.asRelativePath(uri),
      line: range.start.line + 1,
      severity: SEVERITIES[severity],
      message,
      ...(source === undefined ? {} : { source }),
    }));
  return { diagnostics };
}

async function applyEdit(
  { path, oldText, newText }: Record<string, unknown>,
  { signal }: SkillContext,
): Promise<unknown> {
  const document = await workspace.openTextDocument(await editableInWorkspace(String(path)));
  const [old, fresh] = [endedAsIn(document, oldText), endedAsIn(document, newText)];
  const whole = document.getText();
  const at = whole.indexOf(old);
  if (old === "" || at < 0) throw new Error("oldText is not in the file; read it again");
  if (whole.indexOf(old, at + 1) >= 0)
    throw new Error("oldText is in the file more than once; give more of what is around it");
  if (signal.aborted) throw new Error("the turn has ended");
  const edit = new WorkspaceEdit();
  const range = new Range(document.positionAt(at), document.positionAt(at + old.length));
  edit.replace(document.uri, range, fresh);
  const wasSaved = !document.isDirty;
  if (!(await workspace.applyEdit(edit))) throw new Error("the editor refused the edit");
  // What the user has not saved is left for them to save.
  const isSaved = wasSaved && (await document.save());
  return { path: workspace.asRelativePath(document.uri), line: range.start.line + 1, saved: isSaved };
}

async function ofAll(): Promise<[Uri, Diagnostic[]][]> {
  const all = languages.getDiagnostics().filter(([, found]) => found.length > 0);
  const within = await Promise.all(all.map(([uri]) => isInWorkspace(uri)));
  return all.filter((_, index) => within[index]);
}

async function ofOne(uri: Uri): Promise<[Uri, Diagnostic[]]> {
  return [uri, languages.getDiagnostics(uri)];
}

function endedAsIn({ eol }: TextDocument, value: unknown): string {
  const lines = String(value).replaceAll("\r\n", "\n");
  return eol === EndOfLine.CRLF ? lines.replaceAll("\n", "\r\n") : lines;
}

function schema(properties: object, required: string[]): object {
  return { type: "object", properties, required, additionalProperties: false };
}
