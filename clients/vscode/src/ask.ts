// Helm without a chat view: asked in an input box, answered in a document.

import { ProgressLocation, window } from "vscode";

import type { Decision, SuggestedAction } from "open-think";

import { selected } from "./attachments.js";
import { follow, newSession, pageOf } from "./conversation.js";
import type { Begin, Hands } from "./conversation.js";
import { decisionOf, notify } from "./desk.js";
import type { Documents } from "./documents.js";
import { workingEditor } from "./documents.js";
import { plain } from "./markdown.js";
import { explain, tell } from "./problem.js";
import { settings } from "./settings.js";

export class Ask {
  #sessionName = newSession();
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly hands: Hands,
    private readonly documents: Documents,
  ) {}

  async ask(): Promise<void> {
    const content = await window.showInputBox({
      title: "Ask Helm",
      prompt: "What is to be done?",
      ignoreFocusOut: true,
    });
    if (content) await this.#say(content, content);
  }

  async askAboutSelection(): Promise<void> {
    const editor = workingEditor();
    if (editor === undefined || editor.selection.isEmpty) {
      return void window.showInformationMessage("Select something in an editor first.");
    }
    const excerpt = selected(editor);
    const prompt = "What about the selection?";
    const content = await window.showInputBox({
      title: "Ask Helm",
      prompt,
      value: "Explain this.",
      ignoreFocusOut: true,
    });
    if (content) await this.#say(content, `${content}\n\n${excerpt}`);
  }

  newConversation(): void {
    this.#sessionName = newSession();
    void window.showInformationMessage("What you ask next begins a new conversation.");
  }

  /** One at a time, so that each answer stands under its question. */
  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** Goes on where actions were proposed or left held, in whichever session of this window. */
  async decide(sessionName: string, actions: SuggestedAction[], decision: Decision): Promise<void> {
    const approval = { sessionName, actionIds: actions.map(({ id }) => id), decision };
    await this.#next(async () => {
      const page = pageOf(sessionName);
      const names = plain(actions.map(({ skill }) => skill).join(", "));
      this.documents.append(page, `_You ${decision === "approve" ? "approved" : "denied"} ${names}._\n\n`);
      await this.documents.reveal(page);
      await this.#follow(sessionName, (client, options) => client.approve(approval, options));
    });
  }

  async #say(said: string, content: string): Promise<void> {
    const sessionName = this.#sessionName;
    const page = pageOf(sessionName);
    this.documents.keep(page);
    await this.#next(async () => {
      this.documents.append(page, `## ${plain(said)}\n\n`);
      await this.documents.reveal(page);
      const { mode, provider, model } = settings();
      const message = { content, sessionName, mode, ...(provider && { provider }), ...(model && { model }) };
      await this.#follow(sessionName, (client, options) => client.message(message, options));
    });
  }

  /** Writes a turn down. It is ended by an interrupt. */
  async #follow(sessionName: string, begin: Begin): Promise<void> {
    const options = { location: ProgressLocation.Window, title: "Helm", cancellable: false };
    const write = (text: string): void => this.documents.append(pageOf(sessionName), text);
    await window.withProgress(options, async (progress) => {
      const screen = {
        markdown: write,
        progress: (message: string) => progress.report({ message }),
        buttons: notify(this.hands.desk),
      };
      try {
        const { suggestedActions } = await follow(this.hands, screen, new AbortController().signal, begin);
        write("\n\n");
        if (suggestedActions.length > 0) void this.#propose(sessionName, suggestedActions);
      } catch (error) {
        write(`\n\n**${plain(explain(error))}**\n\n`);
        void tell(error);
      }
    });
  }

  /** What was proposed, or held until nobody was asked any more. It can be decided later as well. */
  async #propose(sessionName: string, actions: SuggestedAction[]): Promise<void> {
    const count = actions.length === 1 ? "an action" : `${actions.length} actions`;
    const answer = await window.showInformationMessage(`Helm has ${count} for you to decide.`, "Approve", "Deny");
    const decision = decisionOf(answer);
    if (decision !== undefined) await this.decide(sessionName, actions, decision);
  }
}
