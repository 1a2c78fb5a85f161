// Makes dist/extension.js, the TypeScript client included, from both folders' sources; with --tests the tests as well.

import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  logLevel: "warning",
  alias: { "open-think": "../typescript/src/index.ts" },
  // The client's folder needs no packages of its own for this.
  plugins: [
    {
      name: "jsonrpc",
      setup(found) {
        found.onResolve({ filter: /^vscode-jsonrpc\/node$/ }, () => ({ path: require.resolve("vscode-jsonrpc/node") }));
      },
    },
  ],
};

await rm(`${root}dist`, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  format: "cjs",
  external: ["vscode"],
  minify: true,
});
await copyFile(`${root}node_modules/vscode-jsonrpc/License.txt`, `${root}dist/vscode-jsonrpc.LICENSE.txt`);

if (process.argv.includes("--tests")) {
  const tests = (await readdir(`${root}test`)).filter((name) => name.endsWith(".test.ts"));
  await rm(`${root}build`, { recursive: true, force: true });
  await mkdir(`${root}build`);
  // Theirs stays as it is while one of them packs the extension anew.
  await copyFile(`${root}dist/extension.js`, `${root}build/extension.cjs`);
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "build",
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    external: ["@copilotkit/aimock"],
  });
}
