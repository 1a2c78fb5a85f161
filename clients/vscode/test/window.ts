// A window of an editor that is not there: the `vscode` module as the extension sees it, and what came of it.

import { readFileSync, writeFileSync } from "node:fs";
import { basename, relative } from "node:path";

import { Document, EventEmitter, Location, MarkdownString, Position, Range, Selection } from "./values.js";
import { ThemeColor, Uri, WorkspaceEdit } from "./values.js";

interface Asked {
  kind: string;
  message: string;
  items: any[];
  options: any;
}

/** What the user does; undefined where it is passed by. */
type User = (asked: Asked) => unknown;

/** Those of the settings. */
const DEFAULTS = new Map<string, unknown>(
  Object.entries(JSON.parse(readFileSync("package.json", "utf8")).contributes.configuration.properties).map(
    ([name, { default: usual }]: [string, any]) => [name.replace("openThink.", ""), usual],
  ),
);

export class Window {
  /** All that the user was shown or asked. */
  readonly asked: Asked[] = [];
  readonly commands = new Map<string, (...args: any[]) => unknown>();
  /** Commands of the editor's own that were called. */
  readonly called: unknown[][] = [];
  readonly context = new Map<string, unknown>();
  readonly settings = new Map<string, unknown>();
  readonly documents = new Map<string, Document>();
  readonly shown: { document: Document; options: any }[] = [];
  readonly diagnostics: [Uri, any[]][] = [];
  readonly statusBar: any = {
    text: "",
    visible: false,
    show: () => (this.statusBar.visible = true),
    dispose: () => undefined,
  };
  readonly progress: string[] = [];
  readonly output: string[] = [];
  readonly opened: string[] = [];
  clipboard = "";
  participant: any;
  user: User = () => undefined;
  isTrusted = true;
  hasChat = true;
  folders: { name: string; uri: Uri; index: number }[] = [];
  editor: any;
  state = { focused: true, active: true };
  /** Called for whatever happens, so that a test can wait for it. */
  readonly happened = new EventEmitter<void>();

  readonly #configured = new EventEmitter<any>();
  readonly #trusted = new EventEmitter<void>();
  readonly #closed = new EventEmitter<Document>();
  readonly #focused = new EventEmitter<any>();
  readonly #providers = new Map<string, any>();

  /** Resolves once it holds, and fails with what there is instead. */
  async until(holds: () => boolean, what: string, patience = 20_000): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} has not come: ${this.story()}`)), patience);
      const listening = this.happened.event(() => {
        if (!holds()) return;
        clearTimeout(timer);
        listening.dispose();
        resolve();
      });
    });
  }

  story(): string {
    const { asked, output, statusBar } = this;
    return JSON.stringify({ asked, output, status: statusBar.text, tooltip: statusBar.tooltip?.value }, null, 1);
  }

  folder(path: string): void {
    this.folders.push({ name: basename(path), uri: Uri.file(path), index: this.folders.length });
  }

  configure(name: string, value: unknown): void {
    this.settings.set(name, value);
    this.#configured.fire({ affectsConfiguration: (section: string) => `openThink.${name}`.startsWith(section) });
    this.happened.fire();
  }

  trust(): void {
    this.isTrusted = true;
    this.#trusted.fire();
  }

  focus(focused: boolean): void {
    this.state = { focused, active: focused };
    this.#focused.fire(this.state);
  }

  edit(path: string, selection?: Selection): Document {
    const document = this.open(Uri.file(path));
    this.editor = { document, selection: selection ?? new Selection(0, 0, 0, 0) };
    return document;
  }

  /** The text of a document of the extension's own. */
  text(path: string): string {
    return (
      this.#providers.get("open-think")?.provideTextDocumentContent(Uri.from({ scheme: "open-think", path })) ?? ""
    );
  }

  /** Of a document of the extension's own. */
  close(path: string): void {
    const all = this.shown.filter(({ document }) => document.uri.path === path).map(({ document }) => document);
    for (const document of all) document.isClosed = true;
    for (const document of all.slice(0, 1)) this.#closed.fire(document);
  }

  run(name: string, ...args: unknown[]): Promise<unknown> {
    return Promise.resolve(this.commands.get(`openThink.${name}`)?.(...args));
  }

  open(uri: Uri): Document {
    const provider = this.#providers.get(uri.scheme);
    if (provider !== undefined) return new Document(uri, provider.provideTextDocumentContent(uri));
    const document = this.documents.get(uri.toString()) ?? Document.read(uri);
    this.documents.set(uri.toString(), document);
    return document;
  }

  async #ask(kind: string, message: string, items: any[], options: any = {}): Promise<any> {
    const asked = { kind, message, items, options };
    this.asked.push(asked);
    this.happened.fire();
    return this.user(asked);
  }

  #message(kind: string) {
    return (message: string, ...rest: any[]) => {
      const options = typeof rest[0] === "object" ? rest.shift() : {};
      return this.#ask(kind, message, rest, options);
    };
  }

  #log = (level: string) => (text: string) => {
    this.output.push(`${level} ${text}`);
    this.happened.fire();
  };

  /** What `require("vscode")` gives. */
  readonly module: any = {
    Uri,
    Position,
    Range,
    Selection,
    Location,
    MarkdownString,
    ThemeColor,
    EventEmitter,
    WorkspaceEdit,
    ConfigurationTarget: { Global: 1 },
    DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2, Hint: 3 },
    EndOfLine: { LF: 1, CRLF: 2 },
    ProgressLocation: { Window: 10, Notification: 15 },
    StatusBarAlignment: { Left: 1, Right: 2 },
    ViewColumn: { Beside: -2 },
    commands: {
      registerCommand: (name: string, work: () => unknown) => {
        this.commands.set(name, work);
        return { dispose: () => void this.commands.delete(name) };
      },
      executeCommand: async (name: string, ...args: any[]) => {
        if (name === "setContext") return void this.context.set(args[0], args[1]);
        if (this.commands.has(name)) return this.commands.get(name)?.(...args);
        this.called.push([name, ...args]);
        this.happened.fire();
      },
    },
    languages: {
      getDiagnostics: (uri?: Uri) =>
        uri === undefined
          ? this.diagnostics
          : this.diagnostics.flatMap(([of, found]) => (of.path === uri.path ? found : [])),
    },
    env: {
      clipboard: { writeText: async (text: string) => void (this.clipboard = text) },
      openExternal: async (uri: Uri) => this.opened.push(uri.toString()),
    },
    window: {
      createStatusBarItem: () =>
        new Proxy(this.statusBar, {
          set: (item, name, value) => {
            item[name] = value;
            this.happened.fire();
            return true;
          },
        }),
      createOutputChannel: () => ({
        info: this.#log("info"),
        warn: this.#log("warn"),
        error: this.#log("error"),
        show: () => this.called.push(["output.show"]),
        dispose: () => undefined,
      }),
      showInformationMessage: this.#message("information"),
      showWarningMessage: this.#message("warning"),
      showErrorMessage: this.#message("error"),
      showQuickPick: (items: any[], options: any) => this.#ask("pick", options?.title ?? "", items, options),
      showInputBox: (options: any) => this.#ask("input", options?.title ?? "", [], options),
      showTextDocument: async (document: Document, options: any) => {
        this.shown.push({ document, options });
        this.happened.fire();
      },
      withProgress: (options: any, work: any) => {
        const cancelled = new EventEmitter<void>();
        const token = { isCancellationRequested: false, onCancellationRequested: cancelled.event };
        void this.#ask("progress", options.title, [() => cancelled.fire()], options);
        return work(
          {
            report: ({ message }: any) => {
              this.progress.push(message);
              this.happened.fire();
            },
          },
          token,
        );
      },
      onDidChangeWindowState: this.#focused.event,
    },
    workspace: {
      asRelativePath: (uri: Uri) => {
        const folder = this.folders.find(({ uri: { fsPath } }) => !relative(fsPath, uri.fsPath).startsWith(".."));
        if (folder === undefined) return uri.fsPath;
        const path = relative(folder.uri.fsPath, uri.fsPath);
        return this.folders.length > 1 ? `${folder.name}/${path}` : path;
      },
      getConfiguration: () => ({
        // As the editor does it: nothing but what is not set at all has its default.
        get: (name: string, usual?: unknown) => {
          const value = this.settings.get(name);
          return value !== undefined ? value : (DEFAULTS.get(name) ?? usual);
        },
        update: async (name: string, value: unknown) => this.configure(name, value),
      }),
      openTextDocument: async (uri: Uri) => this.open(uri),
      registerTextDocumentContentProvider: (scheme: string, provider: any) => {
        this.#providers.set(scheme, provider);
        provider.onDidChange(() => this.happened.fire());
        return { dispose: () => void this.#providers.delete(scheme) };
      },
      applyEdit: async ({ edits }: WorkspaceEdit) => {
        for (const { uri, range, text } of edits) {
          const document = this.open(uri);
          const whole = document.getText();
          document.set(
            whole.slice(0, document.offsetAt(range.start)) + text + whole.slice(document.offsetAt(range.end)),
          );
        }
        return true;
      },
      onDidChangeConfiguration: this.#configured.event,
      onDidCloseTextDocument: this.#closed.event,
      onDidGrantWorkspaceTrust: this.#trusted.event,
    },
    chat: {
      createChatParticipant: (id: string, handler: any) =>
        (this.participant = { id, handler, dispose: () => (this.participant = undefined) }),
    },
  };

  constructor() {
    const getters = {
      activeTextEditor: () => this.editor,
      visibleTextEditors: () => [this.editor].filter(Boolean),
      state: () => this.state,
    };
    for (const [name, get] of Object.entries(getters)) Object.defineProperty(this.module.window, name, { get });
    Object.defineProperty(this.module.workspace, "isTrusted", { get: () => this.isTrusted });
    Object.defineProperty(this.module.workspace, "workspaceFolders", {
      get: () => (this.folders.length > 0 ? this.folders : undefined),
    });
    Object.defineProperty(this.module.workspace, "textDocuments", {
      get: () => this.shown.map(({ document }) => document).filter(({ isClosed }) => !isClosed),
    });
    Object.defineProperty(this.module, "chat", { value: this.module.chat, writable: true });
    Object.defineProperty(Document.prototype, "save", {
      configurable: true,
      value: async function (this: Document) {
        if (!this.isWritable) return false;
        writeFileSync(this.uri.fsPath, this.getText());
        return true;
      },
    });
  }
}

export const saved = (path: string): string => readFileSync(path, "utf8");
