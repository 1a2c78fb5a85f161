// Read-only documents of ours: answers as they come, the status, what a skill gave back.

import { EventEmitter, Uri, ViewColumn, window, workspace } from "vscode";
import type { Disposable, TextDocumentContentProvider, TextEditor } from "vscode";

export const SCHEME = "open-think";

/** Milliseconds between two redraws while text comes. */
const PACE = 50;

/** Characters of a document; of a longer one the end is kept. */
const LONGEST = 1_000_000;

const OVER = "_What stood here is over, and no longer kept. **Open Think: Ask Helm…** begins a new conversation._\n";

export class Documents implements TextDocumentContentProvider, Disposable {
  readonly #texts = new Map<string, string>();
  readonly #changed = new EventEmitter<Uri>();
  readonly #due = new Map<string, NodeJS.Timeout>();
  readonly #registered: Disposable[];
  #kept: string | undefined;

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registered = [
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      workspace.onDidCloseTextDocument(({ uri }) => void (isOurs(uri) && this.#free(uri.path))),
      this.#changed,
    ];
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.#texts.get(uri.path) ?? OVER;
  }

  append(path: string, text: string): void {
    this.#texts.set(path, ((this.#texts.get(path) ?? "") + text).slice(-LONGEST));
    if (!this.#due.has(path))
      this.#due.set(
        path,
        setTimeout(() => this.#redraw(path), PACE),
      );
  }

  /** This one goes on, and keeps its text also while it is closed; no other does. */
  keep(path: string): void {
    const before = this.#kept;
    this.#kept = path;
    if (before !== undefined) this.#free(before);
  }

  /** In place of what stood there. */
  async show(path: string, text: string): Promise<void> {
    this.#texts.set(path, text);
    this.#redraw(path);
    await this.reveal(path);
  }

  /** Beside the code, whose editor keeps the focus. */
  async reveal(path: string): Promise<void> {
    const document = await workspace.openTextDocument(Uri.from({ scheme: SCHEME, path }));
    await window.showTextDocument(document, { preview: false, preserveFocus: true, viewColumn: ViewColumn.Beside });
  }

  dispose(): void {
    for (const timer of this.#due.values()) clearTimeout(timer);
    for (const registered of this.#registered) registered.dispose();
  }

  #free(path: string): void {
    const isOpen = workspace.textDocuments.some(({ uri, isClosed }) => isOurs(uri) && uri.path === path && !isClosed);
    if (!isOpen && path !== this.#kept) this.#texts.delete(path);
  }

  #redraw(path: string): void {
    clearTimeout(this.#due.get(path));
    this.#due.delete(path);
    this.#changed.fire(Uri.from({ scheme: SCHEME, path }));
  }
}

function isOurs({ scheme }: Uri): boolean {
  return scheme === SCHEME;
}

/** The editor that the user works in, which is none of ours. */
export function workingEditor(): TextEditor | undefined {
  const isTheirs = (editor: TextEditor | undefined): boolean =>
    editor !== undefined && !isOurs(editor.document.uri);
  const { activeTextEditor, visibleTextEditors } = window;
  return isTheirs(activeTextEditor) ? activeTextEditor : visibleTextEditors.find(isTheirs);
}
