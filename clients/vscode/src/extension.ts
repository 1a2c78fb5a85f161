// Puts the parts together, in workspaces that are trusted.

import { commands, window, workspace } from "vscode";
import type { ExtensionContext } from "vscode";

import type { Decision } from "open-think";

import { Ask } from "./ask.js";
import { registerChat } from "./chat.js";
import type { Hands } from "./conversation.js";
import { Daemon } from "./daemon.js";
import { Desk } from "./desk.js";
import { Documents } from "./documents.js";
import { review } from "./held.js";
import { menu } from "./menu.js";
import { Offering } from "./offering.js";
import { pickMode, pickProvider } from "./pickers.js";
import { tell } from "./problem.js";
import { Renewal } from "./renewal.js";
import { SECTION, settings } from "./settings.js";
import { signIn } from "./sign_in.js";
import { invokeSkill } from "./skills.js";
import { StatusBar } from "./status_bar.js";
import { statusPage } from "./status_page.js";

let running: Daemon | undefined;

export function activate(context: ExtensionContext): void {
  if (workspace.isTrusted) return begin(context);
  context.subscriptions.push(workspace.onDidGrantWorkspaceTrust(() => begin(context)));
}

/** Returns once the program that was started is gone. */
export async function deactivate(): Promise<void> {
  await running?.close();
  running = undefined;
}

function begin(context: ExtensionContext): void {
  const output = window.createOutputChannel("Open Think", { log: true });
  const { version } = context.extension.packageJSON as { version: string };
  const desk = new Desk();
  const daemon = (running = new Daemon(version, desk.ask, output));
  const hands: Hands = { daemon, desk };
  const documents = new Documents();
  const offering = new Offering(daemon, output);
  const renewal = new Renewal(daemon);
  const chat = registerChat(hands);

  context.subscriptions.push(output, desk, daemon, documents, offering, new StatusBar(hands), ...(chat ? [chat] : []));
  context.subscriptions.push(
    daemon.onDidConnect((client) => void client.on("conductor.approvalResolved", (params) => desk.resolved(params))),
    workspace.onDidChangeConfiguration((change) => {
      const isOther = ["command", "args"].some((name) => change.affectsConfiguration(`${SECTION}.${name}`));
      if (isOther) void renewal.begin().catch((error: unknown) => tell(error));
      if (change.affectsConfiguration(`${SECTION}.editorSkills`)) offering.refresh();
    }),
  );
  register(context, hands, documents, () => output.show());
  if (settings().connectOnStartup) void daemon.client().catch((error: unknown) => tell(error));
}

function register(context: ExtensionContext, hands: Hands, documents: Documents, showOutput: () => void): void {
  const { daemon, desk } = hands;
  const ask = new Ask(hands, documents);
  const decide = (decision: Decision) => (id?: unknown) =>
    typeof id === "string" ? desk.decide(id, decision) : review(hands, ask, decision);
  const rows: Record<string, (...args: unknown[]) => unknown> = {
    ask: () => ask.ask(),
    askAboutSelection: () => ask.askAboutSelection(),
    newConversation: () => ask.newConversation(),
    invokeSkill: () => invokeSkill(daemon, documents),
    approve: decide("approve"),
    deny: decide("deny"),
    review: () => review(hands, ask),
    interrupt: () => interrupt(daemon),
    pickMode,
    pickProvider: () => pickProvider(daemon),
    signIn: () => signIn(daemon),
    showStatus: async () => {
      await documents.show("/Status.md", statusPage(await daemon.call("daemon.status", (client) => client.status())));
    },
    restart: () => daemon.restart(),
    showOutput,
    menu: () => menu(hands),
  };
  for (const [name, work] of Object.entries(rows)) {
    const run = async (...args: unknown[]): Promise<void> => {
      try {
        await work(...args);
      } catch (error) {
        void tell(error, () => run(...args));
      }
    };
    context.subscriptions.push(commands.registerCommand(`${SECTION}.${name}`, run));
  }
}

async function interrupt({ turns }: Daemon): Promise<void> {
  if (turns.size === 0) return void window.showInformationMessage("Helm does nothing for this window.");
  await Promise.all([...turns].map((turn) => turn.interrupt()));
}
