// What waits for a decision in the sessions of this window: what is asked now, and what was proposed or left held.

import { window } from "vscode";

import type { Decision, SuggestedAction } from "open-think";

import type { Ask } from "./ask.js";
import type { Hands } from "./conversation.js";
import { confirm } from "./desk.js";
import { json } from "./markdown.js";

interface Held {
  sessionName: string;
  actions: SuggestedAction[];
  decide(decision: Decision): unknown;
}

/** Picks one where there are several, and asks about it in a dialog. */
export async function review(hands: Hands, ask: Ask, wanted?: Decision): Promise<void> {
  const all = await held(hands, ask);
  const one = all.length > 1 ? await pick(all) : all[0];
  if (all.length === 0) return void window.showInformationMessage("Nothing waits for a decision.");
  const decision = one && (await confirm(one.actions, wanted));
  if (decision !== undefined) await one?.decide(decision);
}

async function pick(all: Held[]): Promise<Held | undefined> {
  const items = all.map((one) => ({
    label: one.actions.map(({ skill }) => skill).join(", "),
    detail: one.actions.map(({ input }) => json(input).replace(/\s+/g, " ")).join(", "),
    one,
  }));
  return (await window.showQuickPick(items, { title: "What Is Held", matchOnDetail: true }))?.one;
}

async function held({ daemon, desk }: Hands, ask: Ask): Promise<Held[]> {
  const asked = desk.questions.map(({ id, sessionName, actions }) => ({
    sessionName,
    actions,
    decide: (decision: Decision) => desk.decide(id, decision),
  }));
  const isAsked = (sessionName: string, id: string): boolean =>
    asked.some((one) => one.sessionName === sessionName && one.actions.some((action) => action.id === id));
  const left = async (sessionName: string): Promise<Held> => {
    const { heldActions } = await daemon.call("sessions.get", (client) => client.sessions.get(sessionName));
    const actions = heldActions.filter(({ id }) => !isAsked(sessionName, id));
    return { sessionName, actions, decide: (decision) => ask.decide(sessionName, actions, decision) };
  };
  // One that is gone holds nothing.
  const found = await Promise.allSettled([...daemon.sessions].map(left));
  const rest = found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  return [...asked, ...rest.filter(({ actions }) => actions.length > 0)];
}
