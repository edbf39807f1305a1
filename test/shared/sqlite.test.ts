import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { loadSqlite } from "../../src/shared/sqlite.ts";

const DIST = new URL("../../dist/", import.meta.url).href;

test("of the warnings while SQLite is loaded, only the one about SQLite is dropped", () => {
  const { getBuiltinModule, emitWarning } = process;
  const emitted = vi.fn();
  process.emitWarning = emitted;
  // As Node 22 does it, with another warning before and behind.
  process.getBuiltinModule = ((id: string) => {
    process.emitWarning("another thing is an experimental feature", "ExperimentalWarning");
    process.emitWarning(
      "SQLite is an experimental feature and might change at any time",
      "ExperimentalWarning",
    );
    process.emitWarning("SQLite is an experimental feature", "DeprecationWarning", "DEP0");
    return getBuiltinModule(id);
  }) as typeof getBuiltinModule;
  onTestFinished(() => Object.assign(process, { getBuiltinModule, emitWarning }) && undefined);
  expect(loadSqlite().DatabaseSync).toBeTypeOf("function");
  expect(emitted.mock.calls).toEqual([
    ["another thing is an experimental feature", "ExperimentalWarning"],
    ["SQLite is an experimental feature", "DeprecationWarning", "DEP0"],
  ]);
  expect(process.emitWarning).toBe(emitted);
});

test("a Node without SQLite is named", () => {
  const program = `import { loadSqlite } from "${DIST}shared/sqlite.js";
    try { loadSqlite(); } catch (error) { console.log(error.code, error.message); }`;
  const args = ["--no-experimental-sqlite", "--input-type=module", "--eval", program];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stdout).toContain("NO_SQLITE this Node has no SQLite");
});

test("neither a command nor the thread of a run shows a warning of Node's", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "influxion-sqlite-"));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const program = `
    import { readConfig } from "${DIST}config/config.js";
    import { runInWorker } from "${DIST}run/worker-runner.js";
    import { lockOwner } from "${DIST}ledger/lock.js";
    const stateDir = process.argv[2];
    const { config } = readConfig({ apiKey: "sk-1234567890", deploymentId: "d", projectId: "p" });
    const { signal } = new AbortController();
    const common = { stateDir, config, apiKey: "sk-1234567890", trigger: "command", lockWaitMs: 0 };
    const report = await runInWorker({ ...common, signal, now: Date.now, random: Math.random });
    console.log(report.outcome, await lockOwner(stateDir));`;
  // As a file: the thread has the options of the process, and cannot start with those of --eval.
  const path = join(stateDir, "program.mjs");
  writeFileSync(path, program);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, [path, stateDir], {
    encoding: "utf8",
    env,
  });
  expect({ stdout, stderr }).toEqual({ stdout: "done null\n", stderr: "" });
});
