// Paths that Helm names, which are to be of files in this workspace.

import { realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

import { Uri, workspace } from "vscode";
import type { WorkspaceFolder } from "vscode";

/** Rejects with a sentence for the model where there is no such file in the workspace, links followed. */
export async function fileInWorkspace(path: string): Promise<Uri> {
  const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
  if (folders.length === 0) throw new Error("no folder is open in this window");
  const places = folders.flatMap((folder) => candidates(folder, path).map((file) => ({ folder, file })));
  let outside = true;
  for (const { folder, file } of places) {
    if (!holds(folder.uri.fsPath, file)) continue;
    const [real, root] = await Promise.all([found(file), realpath(folder.uri.fsPath)]);
    if (real !== undefined && holds(root, real)) return Uri.file(file);
    outside = real !== undefined;
    if (outside) break;
  }
  throw new Error(outside ? `${path} is outside the workspace` : `there is no file ${path}`);
}

/** Whether it is a file in this workspace, or a cell of one, links followed. */
export async function isInWorkspace({ scheme, fsPath }: Uri): Promise<boolean> {
  if (scheme !== "file" && scheme !== "vscode-notebook-cell") return false;
  return fileInWorkspace(fsPath).then(
    () => true,
    () => false,
  );
}

/** What a name on the way to a file says: that editors or Git run what stands there, some of it without being asked. */
const RUNS = /^(\.git|\.hg|\.svn|\.vscode|\.idea|\.devcontainer|\.devcontainer\.json|\.envrc|.*\.code-workspace)$/i;

/** As `fileInWorkspace`, and rejects for files that change what runs on this machine when a folder is opened. */
export async function editableInWorkspace(path: string): Promise<Uri> {
  const uri = await fileInWorkspace(path);
  const file = await realpath(uri.fsPath);
  const roots = await Promise.all((workspace.workspaceFolders ?? []).map((folder) => found(folder.uri.fsPath)));
  const ways = roots.flatMap((root) => (root !== undefined && holds(root, file) ? [relative(root, file)] : []));
  const fault = ways.some((way) => way.split(sep).some((name) => RUNS.test(name)));
  if (fault) throw new Error(`${path} decides what runs on this machine; the user has to edit it`);
  return uri;
}

/** With several folders a path begins with the name of its folder, or is looked for in all. */
function candidates({ name, uri }: WorkspaceFolder, path: string): string[] {
  if (isAbsolute(path)) return [path];
  const [first, ...rest] = path.split(/[\\/]/);
  const plain = join(uri.fsPath, path);
  const severally = (workspace.workspaceFolders?.length ?? 0) > 1;
  return severally && first === name && rest.length > 0 ? [join(uri.fsPath, ...rest), plain] : [plain];
}

function holds(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function found(file: string): Promise<string | undefined> {
  return realpath(file).catch(() => undefined);
}
