// One turn, from what is said to its end, on whatever screen.

import { randomUUID } from "node:crypto";

import type { Client, RequestOptions, Turn, TurnResult } from "open-think";

import type { Daemon } from "./daemon.js";
import type { Desk, Question } from "./desk.js";
import { Story } from "./story.js";
import type { Piece } from "./story.js";

export interface Screen {
  markdown(text: string): void;
  progress(text: string): void;
  /** The ways to answer; what it is about stands above. */
  buttons(question: Question): void;
}

export interface Hands {
  daemon: Daemon;
  desk: Desk;
}

export type Begin = (client: Client, options: RequestOptions) => Turn;

/** Resolves with the end of the turn, all of which is on the screen by then. */
export async function follow(
  { daemon, desk }: Hands,
  screen: Screen,
  signal: AbortSignal,
  begin: Begin,
): Promise<TurnResult> {
  const story = new Story();
  const draw = (pieces: Piece[]): void => pieces.forEach(({ kind, text }) => screen[kind](text));
  const run = async (client: Client): Promise<TurnResult> => {
    const turn = begin(client, { signal });
    const watching = desk.watch(turn.sessionName, (question) => {
      draw(story.asks(question.actions));
      screen.buttons(question);
      void question.settled.then((how) => draw(story.settled(how)));
    });
    try {
      return await daemon.during(turn, async () => {
        for await (const event of turn) draw(story.take(event));
        const result = await turn.result;
        draw(story.end(result));
        return result;
      });
    } finally {
      watching.dispose();
    }
  };
  return daemon.call("turn", run, signal);
}

const PREFIX = "vscode:";

/** Each holds its own thread of talk. */
export function newSession(): string {
  return `${PREFIX}${randomUUID()}`;
}

/** The path of the document for what is said there outside of a chat. Another load of the window has others. */
export function pageOf(sessionName: string): string {
  return `/Helm ${sessionName.slice(PREFIX.length, PREFIX.length + 8)}.md`;
}

/** Whether a window began it, this one or another. */
export function isSessionOfEditor(sessionName: string): boolean {
  return sessionName.startsWith(PREFIX);
}
