// What a click on the status bar offers.

import { commands, window } from "vscode";

import type { Hands } from "./conversation.js";

export async function menu({ daemon, desk }: Hands): Promise<void> {
  const mayHold = desk.questions.length > 0 || daemon.sessions.size > 0;
  const asks = mayHold ? [["$(bell-dot) Decide What Is Held…", "openThink.review"]] : [];
  const works = daemon.turns.size > 0 ? [["$(debug-stop) Interrupt Helm", "openThink.interrupt"]] : [];
  const rows = [
    ...asks,
    ...works,
    ["$(comment) Ask Helm…", "openThink.ask"],
    ["$(settings) Choose Mode…", "openThink.pickMode"],
    ["$(server-environment) Choose Provider and Model…", "openThink.pickProvider"],
    ["$(play) Invoke Skill…", "openThink.invokeSkill"],
    ["$(pulse) Show Status", "openThink.showStatus"],
    ["$(key) Sign In to Codex", "openThink.signIn"],
    ["$(debug-restart) Restart Connection", "openThink.restart"],
    ["$(output) Show Output", "openThink.showOutput"],
  ];
  const items = rows.map(([label = "", command = ""]) => ({ label, command }));
  const picked = await window.showQuickPick(items, { title: "Open Think" });
  if (picked !== undefined) await commands.executeCommand(picked.command);
}
