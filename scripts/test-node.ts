/**
 * The promises, on the build, with another version of Node: `npm run test:node -- 22.22.3`.
 * What follows the version is passed on to vitest. Node comes from npm, once, into `.cache/`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const [version = "", ...rest] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  process.stderr.write("usage: npm run test:node -- <version of Node, e.g. 22.22.3>\n");
  process.exit(1);
}
const root = join(import.meta.dirname, "..");
const folder = join(root, ".cache", `node-${version}`);
const bin = join(folder, "node_modules", ".bin");
const node = join(folder, "node_modules", "node", "bin", "node");
if (!existsSync(node)) install();
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(node, [vitest, "run", "--config", "vitest.build.config.ts", ...rest], {
  cwd: root,
  stdio: "inherit",
  // Programs that tests start by name, too.
  env: { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) },
});
process.exit(status ?? 1);

function install(): void {
  mkdirSync(folder, { recursive: true });
  // The package brings the program of this system with its install script.
  const manifest = { private: true, allowScripts: { node: true } };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest)}\n`);
  const flags = ["--no-audit", "--no-fund", "--loglevel=error"];
  const { status: code } = spawnSync("npm", ["install", ...flags, `node@${version}`], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (code !== 0) throw new Error(`npm could not install node@${version} (exit code ${code})`);
}
