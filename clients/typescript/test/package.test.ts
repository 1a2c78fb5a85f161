import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";

import { Home } from "./home.js";

const run = promisify(execFile);
const cwd = fileURLToPath(new URL("../..", import.meta.url));

test("the package holds what it needs and nothing else", async (t) => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd });
  const [{ size, unpackedSize, files }] = JSON.parse(stdout) as [
    { size: number; unpackedSize: number; files: { path: string }[] },
  ];
  t.diagnostic(`package: ${size} bytes packed, ${unpackedSize} bytes unpacked, ${files.length} files`);
  const paths = files.map(({ path }) => path);
  for (const path of ["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"]) {
    assert.ok(paths.includes(path), path);
  }
  assert.deepEqual(paths.filter((path) => path.includes("/") && !path.startsWith("dist/")), []);
});

test("the examples of the pages compile", async (t) => {
  const own = examplesOf(await readFile(`${cwd}/README.md`, "utf8"));
  const common = await readFile(`${cwd}/../README.md`, "utf8").catch(() => "");
  if (common === "") t.diagnostic("the page of all clients is not tried: it is not here");
  assert.equal(own.length, 2);
  // Each of the pages has a client of its own.
  const examples = [...own, ...examplesOf(common).map((example) => example.replace(/^import .*$/m, "{").concat("}"))];
  const file = `${cwd}/build/readme.ts`;
  const given = "declare function ask(actions: unknown): Promise<boolean>;";
  await writeFile(file, [given, ...examples].join("\n"));
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,esnext.disposable"];
  const compiled = run(process.execPath, ["node_modules/typescript/bin/tsc", ...options, "--skipLibCheck", file], { cwd });
  await compiled.catch(({ stdout }) => assert.fail(stdout));
});

test("CommonJS can import it, and require it where Node can", async (t) => {
  const canRequire = "require_module" in process.features && process.features.require_module;
  if (!canRequire) t.diagnostic(`require is not tried: Node ${process.versions.node} has it for CommonJS only`);
  for (const way of ["await import", ...(canRequire ? ["require"] : [])]) {
    const script = `(async () => console.log(typeof (${way}("open-think")).connect))()`;
    const { stdout } = await run(process.execPath, ["--input-type=commonjs", "--eval", script], { cwd });
    assert.equal(stdout.trim(), "function", way);
  }
});

test("how long a start takes", async (t) => {
  const home = await Home.make(t);
  for (const what of ["cold, with the daemon", "warm, to a running daemon"]) {
    const started = performance.now();
    const client = await home.connect();
    const connected = performance.now();
    await client.message({ content: "hello" }).result;
    const answered = performance.now();
    const [start, answer] = [connected - started, answered - connected].map((time) => time.toFixed(1));
    t.diagnostic(`${what}: connected in ${start} ms, first answer after ${answer} ms more`);
  }
});

function examplesOf(page: string): string[] {
  return [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example = ""]) => example);
}
