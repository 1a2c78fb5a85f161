// Helm without a chat view: asked in an input box, answered in a document.

import { ProgressLocation, window } from "vscode";
import type { Progress } from "vscode";

import { selected } from "./attachments.js";
import { follow, newSession } from "./conversation.js";
import type { Hands } from "./conversation.js";
import { notify } from "./desk.js";
import type { Documents } from "./documents.js";
import { workingEditor } from "./documents.js";
import { plain } from "./markdown.js";
import { explain, isCancelled, tell } from "./problem.js";
import { settings } from "./settings.js";

export class Ask {
  #sessionName = newSession();
  /** Each conversation has its document. */
  #count = 1;

  constructor(
    private readonly hands: Hands,
    private readonly documents: Documents,
  ) {}

  async ask(): Promise<void> {
    const content = await window.showInputBox({ title: "Ask Helm", prompt: "What is to be done?", ignoreFocusOut: true });
    if (content) await this.#say(content, content);
  }

  async askAboutSelection(): Promise<void> {
    const editor = workingEditor();
    if (editor === undefined || editor.selection.isEmpty) {
      return void window.showInformationMessage("Select something in an editor first.");
    }
    const excerpt = selected(editor);
    const prompt = "What about the selection?";
    const content = await window.showInputBox({ title: "Ask Helm", prompt, value: "Explain this.", ignoreFocusOut: true });
    if (content) await this.#say(content, `${content}\n\n${excerpt}`);
  }

  newConversation(): void {
    this.#sessionName = newSession();
    this.#count += 1;
    void window.showInformationMessage("What you ask next begins a new conversation.");
  }

  async #say(said: string, content: string): Promise<void> {
    const path = `/Helm ${this.#count}.md`;
    const sessionName = this.#sessionName;
    const write = (text: string): void => this.documents.append(path, text);
    write(`## ${plain(said)}\n\n`);
    await this.documents.reveal(path);
    const options = { location: ProgressLocation.Window, title: "Helm", cancellable: false };
    await window.withProgress(options, async (progress) => this.#follow(sessionName, content, write, progress));
  }

  async #follow(
    sessionName: string,
    content: string,
    write: (text: string) => void,
    progress: Progress<{ message: string }>,
  ): Promise<void> {
    const { mode, provider, model } = settings();
    const screen = {
      markdown: write,
      progress: (message: string) => progress.report({ message }),
      buttons: notify(this.hands.desk),
    };
    try {
      const message = { content, sessionName, mode, ...(provider && { provider }), ...(model && { model }) };
      const { suggestedActions } = await follow(this.hands, screen, never, (client, options) => client.message(message, options));
      write("\n\n");
      if (suggestedActions.length > 0) await this.#decide(sessionName, suggestedActions.map(({ id }) => id), screen);
    } catch (error) {
      write(`\n\n**${plain(explain(error))}**\n\n`);
      if (!isCancelled(error)) void tell(error);
    }
  }

  /** What was proposed, or held until nobody was asked any more. */
  async #decide(sessionName: string, actionIds: string[], screen: Parameters<typeof follow>[1]): Promise<void> {
    const count = actionIds.length === 1 ? "an action" : `${actionIds.length} actions`;
    const answer = await window.showInformationMessage(`Helm has ${count} for you to decide.`, "Approve", "Deny");
    if (answer === undefined) return;
    const approval = { sessionName, actionIds, decision: answer === "Approve" ? ("approve" as const) : ("deny" as const) };
    await follow(this.hands, screen, never, (client, options) => client.approve(approval, options));
    screen.markdown("\n\n");
  }
}

/** The turn is ended by an interrupt. */
const never = new AbortController().signal;
