import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const PROGRAM = new URL("../../dist/shared/thread.js", import.meta.url).href;

/** Where a thread keeps what it has compiled, if the process keeps it in `dir`. */
function cacheOfThread(dir: string | null): string {
  const thread = join(folder(), "thread.mjs");
  writeFileSync(
    thread,
    `import { getCompileCacheDir } from "node:module";
    import { parentPort } from "node:worker_threads";
    parentPort.postMessage(getCompileCacheDir() ?? null);`,
  );
  const program = `
    import { enableCompileCache } from "node:module";
    import { startThread } from ${JSON.stringify(PROGRAM)};
    if (${JSON.stringify(dir)} !== null) enableCompileCache(${JSON.stringify(dir)});
    const started = startThread(new URL(${JSON.stringify(pathToFileURL(thread).href)}), {});
    started.on("message", (used) => console.log(JSON.stringify(used)));`;
  const path = join(folder(), "program.mjs");
  writeFileSync(path, program);
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: "utf8", env });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

function folder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "influxion-compiled-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("a thread keeps what it has compiled where the process does", () => {
  const dir = folder();
  expect(dirname(cacheOfThread(dir))).toBe(dir);
});

test("where the process keeps nothing that it has compiled, no thread does", () => {
  expect(cacheOfThread(null)).toBeNull();
});
