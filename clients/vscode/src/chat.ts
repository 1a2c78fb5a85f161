// Helm in the chat view, as @helm.

import { chat } from "vscode";
import type {
  CancellationToken,
  ChatContext,
  ChatFollowup,
  ChatRequest,
  ChatResponseStream,
  ChatResult,
  Disposable,
} from "vscode";

import type { Decision } from "open-think";

import { attach } from "./attachments.js";
import { follow, newSession } from "./conversation.js";
import type { Hands, Screen } from "./conversation.js";
import { explain, isCancelled, isUnreachable } from "./problem.js";
import { isMode, MODES, settings } from "./settings.js";

export const PARTICIPANT = "open-think.helm";

const HELP = [
  "Say what is to be done, as in `@helm check runtime health`. Files and selections that you attach go along.",
  ...Object.entries(MODES).map(([mode, what]) => `- \`/${mode}\` ${what}`),
  "- `/approve`, `/deny` Decide what was proposed or is held",
]
  .join("\n")
  .replace("\n", "\n\n");

interface Kept {
  sessionName: string;
  /** Actions that wait for a decision. */
  actionIds: string[];
}

interface Result extends ChatResult {
  readonly metadata: Kept;
}

/** Nothing where this editor has no chat. */
export function registerChat(hands: Hands): Disposable | undefined {
  if (typeof chat?.createChatParticipant !== "function") return undefined;
  const participant = chat.createChatParticipant(PARTICIPANT, (...turn) => answer(hands, ...turn));
  participant.followupProvider = { provideFollowups: (result) => followups(result as Result) };
  return participant;
}

async function answer(
  hands: Hands,
  request: ChatRequest,
  context: ChatContext,
  stream: ChatResponseStream,
  token: CancellationToken,
): Promise<Result> {
  const before = kept(context);
  const sessionName = before?.sessionName ?? newSession();
  const metadata = { sessionName, actionIds: before?.actionIds ?? [] };
  const stop = new AbortController();
  const listening = token.onCancellationRequested(() => stop.abort());
  if (token.isCancellationRequested) stop.abort();
  try {
    const decision = decisionOf(request.command);
    if (decision !== undefined && metadata.actionIds.length === 0) {
      stream.markdown("Nothing waits for a decision here.");
      return { metadata };
    }
    if (decision === undefined && request.prompt.trim() === "" && request.references.length === 0) {
      stream.markdown(HELP);
      return { metadata };
    }
    const { mode: usual, provider, model } = settings();
    const mode = isMode(request.command) ? request.command : usual;
    const content = decision === undefined ? await attach(request.prompt, request.references) : "";
    const result = await follow(hands, screen(stream), stop.signal, (client, options) =>
      decision === undefined
        ? client.message(
            { content, sessionName, mode, ...(provider && { provider }), ...(model && { model }) },
            options,
          )
        : client.approve({ sessionName, actionIds: metadata.actionIds, decision }, options),
    );
    return { metadata: { sessionName, actionIds: result.suggestedActions.map(({ id }) => id) } };
  } catch (error) {
    if (isCancelled(error)) return { metadata };
    const settings = {
      title: "Open Settings",
      command: "workbench.action.openSettings",
      arguments: ["openThink.command"],
    };
    if (isUnreachable(error)) stream.button(settings);
    return { metadata, errorDetails: { message: explain(error) } };
  } finally {
    listening.dispose();
  }
}

function screen(stream: ChatResponseStream): Screen {
  const button = (title: string, command: string, id: string): void =>
    void stream.button({ title, command, arguments: [id] });
  return {
    markdown: (text) => void stream.markdown(text),
    progress: (text) => void stream.progress(text),
    buttons({ id }) {
      button("Approve", "openThink.approve", id);
      button("Deny", "openThink.deny", id);
    },
  };
}

/** What our last answer in this chat left behind. */
function kept({ history }: ChatContext): Kept | undefined {
  const results = history.flatMap((turn) =>
    turn.participant === PARTICIPANT && "result" in turn ? [turn.result.metadata as Partial<Kept> | undefined] : [],
  );
  const last = results.findLast((metadata) => typeof metadata?.sessionName === "string");
  return last && { sessionName: last.sessionName ?? "", actionIds: last.actionIds ?? [] };
}

function followups({ metadata, errorDetails }: Result): ChatFollowup[] {
  if (metadata.actionIds.length === 0 || errorDetails !== undefined) return [];
  const which = metadata.actionIds.length === 1 ? "it" : "them";
  const way = (command: Decision, label: string): ChatFollowup => ({
    prompt: label,
    label,
    command,
    participant: PARTICIPANT,
  });
  return [way("approve", `Run ${which}`), way("deny", `Do not run ${which}`)];
}

function decisionOf(command: string | undefined): Decision | undefined {
  return command === "approve" || command === "deny" ? command : undefined;
}
