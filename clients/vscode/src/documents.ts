// Read-only documents of ours: answers as they come, the status, what a skill gave back.

import { EventEmitter, Uri, ViewColumn, window, workspace } from "vscode";
import type { Disposable, TextDocumentContentProvider, TextEditor } from "vscode";

export const SCHEME = "open-think";

/** Milliseconds between two redraws while text comes. */
const PACE = 50;

export class Documents implements TextDocumentContentProvider, Disposable {
  readonly #texts = new Map<string, string>();
  readonly #changed = new EventEmitter<Uri>();
  readonly #due = new Map<string, NodeJS.Timeout>();
  readonly #registered: Disposable[];

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registered = [
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      workspace.onDidCloseTextDocument(({ uri }) => void (uri.scheme === SCHEME && this.#drop(uri.path))),
      this.#changed,
    ];
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.#texts.get(uri.path) ?? "";
  }

  append(path: string, text: string): void {
    this.#texts.set(path, (this.#texts.get(path) ?? "") + text);
    if (!this.#due.has(path)) this.#due.set(path, setTimeout(() => this.#redraw(path), PACE));
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

  #redraw(path: string): void {
    clearTimeout(this.#due.get(path));
    this.#due.delete(path);
    this.#changed.fire(Uri.from({ scheme: SCHEME, path }));
  }

  /** An answer that still comes is kept for whoever opens it again. */
  #drop(path: string): void {
    if (!this.#due.has(path)) this.#texts.delete(path);
  }
}

/** The editor that the user works in, which is none of ours. */
export function workingEditor(): TextEditor | undefined {
  const isTheirs = (editor: TextEditor | undefined): boolean => editor !== undefined && editor.document.uri.scheme !== SCHEME;
  const { activeTextEditor, visibleTextEditors } = window;
  return isTheirs(activeTextEditor) ? activeTextEditor : visibleTextEditors.find(isTheirs);
}
