// The daemon's status, to be read.

import type { StatusResult } from "open-think";

import { code, plain } from "./markdown.js";

export function statusPage(status: StatusResult): string {
  const { usage, runningTurns, connections, sessions, providers, codex } = status;
  return [
    `# open-think ${plain(status.version)}`,
    list([
      `Process ${status.pid}, for ${duration(status.uptimeMs)}${status.memoryBytes ? `, ${megabytes(status.memoryBytes)}` : ""}`,
      `Protocol ${plain(status.protocolVersion)}, ${status.skills} skills, plugins ${status.enabledPlugins.map(code).join(" ")}`,
      ...(usage ? [`Today ${usage.calls} calls, ${usage.costUsd.toFixed(2)} US dollars`] : []),
      `Configuration ${code(status.configFile)}`,
      `Log ${code(status.logFile)}`,
    ]),
    "## Providers",
    list([
      ...providers.map(({ id, state, why }) =>
        `${code(id)} ${plain(state)}${id === status.defaultProvider ? ", the default" : ""}${why ? `: ${plain(why)}` : ""}`),
      ...(codex ? [`Codex app-server ${plain(codex.state)}`] : []),
    ]),
    "## Clients",
    list(connections.map(({ name, via, pid, cwd }) =>
      `${plain(name ?? "without a name")} by ${plain(via)}${pid ? `, process ${pid}` : ""}${cwd ? ` in ${code(cwd)}` : ""}`)),
    "## Sessions",
    list(sessions.map(({ sessionName, running, queued, held }) =>
      `${code(sessionName)}${running ? " works" : ""}${queued ? `, ${queued} wait` : ""}${held ? `, ${held} held` : ""}`)),
    ...(runningTurns.length > 0 ? ["## Turns", list(runningTurns.map(({ turnId }) => code(turnId)))] : []),
    "",
  ].join("\n\n");
}

function list(lines: string[]): string {
  return lines.length === 0 ? "None." : lines.map((line) => `- ${line}`).join("\n");
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1000)} seconds`;
  return minutes < 120 ? `${minutes} minutes` : `${Math.floor(minutes / 60)} hours`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
