// The daemon's status, to be read.

import type { ConnectionRow, LiveSession, ProviderWarmth, StatusResult } from "open-think";

import { code, plain } from "./markdown.js";

export function statusPage(status: StatusResult): string {
  const { connections, sessions, runningTurns } = status;
  return [
    `# open-think ${plain(status.version)}`,
    list(about(status)),
    "## Providers",
    list([
      ...status.providers.map((row) => provider(row, status.defaultProvider === row.id)),
      ...(status.codex ? [`Codex app-server ${plain(status.codex.state)}`] : []),
    ]),
    "## Clients",
    list(connections.map(client)),
    "## Sessions",
    list(sessions.map(session)),
    ...(runningTurns.length > 0 ? ["## Turns", list(runningTurns.map(({ turnId }) => code(turnId)))] : []),
    "",
  ].join("\n\n");
}

function about(status: StatusResult): string[] {
  const { pid, uptimeMs, memoryBytes, usage, enabledPlugins } = status;
  return [
    `Process ${pid}, for ${duration(uptimeMs)}${memoryBytes ? `, ${Math.round(memoryBytes / 1_000_000)} MB` : ""}`,
    `Protocol ${plain(status.protocolVersion)}, ${status.skills} skills, plugins ${enabledPlugins.map(code).join(" ")}`,
    ...(usage ? [`Today ${usage.calls} calls, ${usage.costUsd.toFixed(2)} US dollars`] : []),
    `Configuration ${code(status.configFile)}`,
    `Log ${code(status.logFile)}`,
  ];
}

function provider({ id, state, why }: ProviderWarmth, isDefault: boolean): string {
  return `${code(id)} ${plain(state)}${isDefault ? ", the default" : ""}${why ? `: ${plain(why)}` : ""}`;
}

function client({ name, via, pid, cwd }: ConnectionRow): string {
  const who = `${plain(name ?? "without a name")} by ${plain(via)}`;
  return `${who}${pid ? `, process ${pid}` : ""}${cwd ? ` in ${code(cwd)}` : ""}`;
}

function session({ sessionName, running, queued, held }: LiveSession): string {
  const waits = `${queued ? `, ${queued} wait` : ""}${held ? `, ${held} held` : ""}`;
  return `${code(sessionName)}${running ? " works" : ""}${waits}`;
}

function list(lines: string[]): string {
  return lines.length === 0 ? "None." : lines.map((line) => `- ${line}`).join("\n");
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1000)} seconds`;
  return minutes < 120 ? `${minutes} minutes` : `${Math.floor(minutes / 60)} hours`;
}
