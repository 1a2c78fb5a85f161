// The values of the `vscode` module, as far as the extension uses them.

import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
    private readonly text: string,
  ) {}

  static file(path: string): Uri {
    return new Uri("file", path, pathToFileURL(path).href);
  }

  static from({ scheme, path }: { scheme: string; path: string }): Uri {
    return new Uri(scheme, path, `${scheme}:${path}`);
  }

  static parse(text: string): Uri {
    const { protocol, pathname } = new URL(text);
    return new Uri(protocol.slice(0, -1), pathname, text);
  }

  get fsPath(): string {
    return this.scheme === "file" ? fileURLToPath(this.text) : this.path;
  }

  toString(): string {
    return this.text;
  }
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  readonly start: Position;
  readonly end: Position;

  constructor(start: Position | number, end: Position | number, endLine?: number, endCharacter?: number) {
    this.start = typeof start === "number" ? new Position(start, end as number) : start;
    this.end = typeof end === "number" ? new Position(endLine ?? 0, endCharacter ?? 0) : end;
  }

  get isEmpty(): boolean {
    return this.start.line === this.end.line && this.start.character === this.end.character;
  }
}

export class Selection extends Range {}

export class Location {
  constructor(
    readonly uri: Uri,
    readonly range: Range,
  ) {}
}

export class MarkdownString {
  constructor(readonly value: string) {}
}

export class ThemeColor {
  constructor(readonly id: string) {}
}

export class EventEmitter<Value> {
  readonly #listeners = new Set<(value: Value) => unknown>();

  readonly event = (listener: (value: Value) => unknown): { dispose(): void } => {
    const own = (value: Value): unknown => listener(value);
    this.#listeners.add(own);
    return { dispose: () => void this.#listeners.delete(own) };
  };

  fire(value: Value): void {
    for (const listener of [...this.#listeners]) listener(value);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}

export class WorkspaceEdit {
  readonly edits: { uri: Uri; range: Range; text: string }[] = [];

  replace(uri: Uri, range: Range, text: string): void {
    this.edits.push({ uri, range, text });
  }
}

export class Document {
  isDirty = false;
  isClosed = false;
  /** Whether the disk takes it. */
  isWritable = true;

  constructor(
    readonly uri: Uri,
    private text: string,
  ) {}

  static read(uri: Uri): Document {
    const bytes = readFileSync(uri.fsPath);
    if (bytes.includes(0)) throw new Error("it seems to be binary");
    return new Document(uri, bytes.toString("utf8"));
  }

  get isUntitled(): boolean {
    return this.uri.scheme === "untitled";
  }

  get languageId(): string {
    return { ".ts": "typescript", ".md": "markdown" }[extname(this.uri.path)] ?? "plaintext";
  }

  get eol(): number {
    return this.text.includes("\r\n") ? 2 : 1;
  }

  get lineCount(): number {
    return this.text.split("\n").length;
  }

  set(text: string): void {
    this.text = text;
  }

  getText(range?: Range): string {
    return range === undefined ? this.text : this.text.slice(this.offsetAt(range.start), this.offsetAt(range.end));
  }

  offsetAt({ line, character }: Position): number {
    const before = this.text.split("\n").slice(0, line);
    return Math.min(before.join("\n").length + (line > 0 ? 1 : 0) + character, this.text.length);
  }

  positionAt(offset: number): Position {
    const lines = this.text.slice(0, offset).split("\n");
    return new Position(lines.length - 1, lines.at(-1)?.length ?? 0);
  }
}
