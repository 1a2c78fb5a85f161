import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Home } from "./home.js";

const run = promisify(execFile);

test("it packs without a warning, and holds what it needs and nothing else", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "open-think-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "extension.vsix");
  const { stdout, stderr } = await run("npm", ["run", "package", "--", "--out", file]);
  const said =
    stdout +
    stderr
      .split("\n")
      .filter((line) => !line.startsWith("npm "))
      .join("\n");
  assert.doesNotMatch(said, /WARNING|ERROR/, said);
  const held = [
    "LICENSE.txt",
    "[Content_Types].xml",
    "dist/",
    "extension.js",
    "extension.vsixmanifest",
    "extension/",
    "package.json",
    "readme.md",
    "vscode-jsonrpc.LICENSE.txt",
  ];
  const names = [...said.matchAll(/[├└]─ (\S+)/g)].map(([, name]) => name);
  assert.deepEqual(names.sort(), held, said);
  t.diagnostic(
    `extension: ${(await stat(file)).size} bytes packed, ${(await stat("dist/extension.js")).size} bytes of code`,
  );
});

test("it is there in a moment", async (t) => {
  const home = await Home.make(t);
  const window = home.window();
  const began = performance.now();
  home.activate(window);
  const took = performance.now() - began;
  t.diagnostic(`extension: activated in ${took.toFixed(1)} ms`);
  assert.ok(took < 1000, `${took} ms`);
});

test("every command that is announced is there, and every setting that is read is announced", async (t) => {
  const { contributes } = JSON.parse(await readFile("package.json", "utf8"));
  const window = (await Home.make(t)).start();
  const announced: string[] = contributes.commands.map(({ command }: { command: string }) => command);
  assert.deepEqual(
    announced.filter((command) => !window.commands.has(command)),
    [],
  );
  // This one is reached from the menu alone.
  assert.deepEqual(
    [...window.commands.keys()].filter((command) => !announced.includes(command)),
    ["openThink.review"],
  );
  const source = await readFile("src/settings.ts", "utf8");
  const read = [...source.matchAll(/all\.get<.*?>\("(\w+)"/g)].map(([, name]) => `openThink.${name}`);
  assert.deepEqual(read.sort(), Object.keys(contributes.configuration.properties).sort());
  const readme = await readFile("README.md", "utf8");
  for (const name of read) assert.ok(readme.includes(`\`${name}\``), name);
  const { properties } = contributes.configuration;
  // A workspace cannot set the others.
  assert.deepEqual(
    Object.keys(properties).filter((name) => properties[name].scope !== "machine"),
    ["openThink.trace"],
  );
  assert.equal(contributes.chatParticipants[0].id, window.participant.id);
});

test("settings of the wrong type count as not set", async (t) => {
  const home = await Home.make(t);
  const names = ["command", "args", "connectOnStartup", "mode", "provider", "model", "editorSkills", "trace"];
  for (const value of [null, 3, true, "--stdio", [null], [3], {}]) {
    const window = home.window();
    // What is of the right type by chance is not what this is about.
    for (const name of names) if (typeof value !== "string" || name === "args") window.settings.set(name, value);
    window.settings.set("connectOnStartup", null);
    home.activate(window);
    assert.equal(window.statusBar.text, "$(circle-slash) Helm: selective", JSON.stringify(value));
    assert.equal(window.commands.size > 0, true);
  }
});
