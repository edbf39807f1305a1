import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { IsolatedRunner, runIsolated } from "../src/isolated.ts";
import { takeLock } from "../src/ledger/lock.ts";
import type { RunEvents, RunOptions } from "../src/run.ts";
import { startFaultServer } from "./support/fault-server.ts";
import { Lab } from "./support/lab.ts";
import { lines, message, session, sessionPath, write } from "./support/transcripts.ts";

const optionsOf = (
  lab: Lab,
  overrides: Record<string, unknown> = {},
  options: Partial<RunOptions> = {},
): RunOptions => lab.options(overrides, { trigger: "command", ...options });

const lockOf = (lab: Lab): string => join(lab.stateDir, "influxion", "uploads.lock");

test("a run on its own thread delivers, tells how it goes on, and gives the lock back", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const told: string[] = [];
  const events: RunEvents = {
    onPlan: (plan) => told.push(`plan ${plan[0]?.sessionId}`),
    onBytes: (bytes) => told.push(`bytes ${bytes > 0}`),
    onSession: ({ sessionId }, result) => told.push(`${sessionId} ${result}`),
  };
  const report = await runIsolated(optionsOf(lab, {}, { events }));
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect(told).toEqual(["plan abc", "bytes true", "abc done"]);
  expect(existsSync(lockOf(lab))).toBe(false);
  expect((await runIsolated(optionsOf(lab))).sent.parts).toBe(0);
});

test("P51: ending it takes less than a second, leaves nothing behind and loses nothing", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "stall" } });
  const abort = new AbortController();
  const running = runIsolated(optionsOf(lab, { apiUrl: server.url }, { signal: abort.signal }));
  while (server.requests.length === 0) await new Promise((done) => setTimeout(done, 10));
  const start = performance.now();
  abort.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  expect(performance.now() - start).toBeLessThan(1000);
  expect(existsSync(lockOf(lab))).toBe(false);
  expect(server.requests).toHaveLength(1);
  await server.close();
  expect((await runIsolated(optionsOf(lab))).sent.lines).toBe(5);
});

test("P51: a stop that comes while the thread is being started is not overheard", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "stall" } });
  const abort = new AbortController();
  const options = optionsOf(lab, { apiUrl: server.url }, { signal: abort.signal });
  await using runner = new IsolatedRunner();
  const running = runner.run(options);
  // The lock is there, the thread is not: what comes next is the start of it.
  while (!existsSync(lockOf(lab))) await new Promise((done) => setImmediate(done));
  abort.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  expect(server.requests).toEqual([]);
  await server.close();
});

test("a failure keeps its code and its words", async () => {
  await using lab = await Lab.start();
  const { primary } = lab.ledgerPaths;
  mkdirSync(dirname(primary), { recursive: true });
  writeFileSync(primary, '{"schemaVersion":9}');
  await expect(runIsolated(optionsOf(lab))).rejects.toMatchObject({
    code: "LEDGER_NEWER",
    message: expect.stringContaining("update the plugin"),
  });
  expect(existsSync(lockOf(lab))).toBe(false);
});

test("several runs share a thread, and one that failed does not spoil the next", async () => {
  await using lab = await Lab.start();
  await using runner = new IsolatedRunner();
  const path = lab.session("main", "abc");
  expect((await runner.run(optionsOf(lab))).sent.lines).toBe(5);
  lab.append(path, [message(9)]);
  expect((await runner.run(optionsOf(lab))).sent.lines).toBe(1);
  const { primary, copy } = lab.ledgerPaths;
  const good = readFileSync(primary, "utf8");
  for (const file of [primary, copy]) writeFileSync(file, '{"schemaVersion":9}');
  await expect(runner.run(optionsOf(lab))).rejects.toMatchObject({ code: "LEDGER_NEWER" });
  for (const file of [primary, copy]) writeFileSync(file, good);
  lab.append(path, [message(10)]);
  expect((await runner.run(optionsOf(lab))).sent.lines).toBe(1);
});

test("a thread that fails when no run waits for it does not take the process down, and the next run has a new one", async () => {
  await using lab = await Lab.start();
  const program = join(lab.dir, "program.mjs");
  writeFileSync(
    program,
    `import { parentPort, threadId } from "node:worker_threads";
     parentPort.on("message", () => {
       parentPort.postMessage({ kind: "report", report: { threadId } });
       setTimeout(() => { throw new Error("stray"); }, 20);
     });`,
  );
  await using runner = new IsolatedRunner(pathToFileURL(program));
  const first = await runner.run(optionsOf(lab));
  await new Promise((done) => setTimeout(done, 500));
  const second = await runner.run(optionsOf(lab));
  expect(second).not.toEqual(first);
});

test("P9: it respects the lock of another", async () => {
  await using lab = await Lab.start();
  const signal = new AbortController().signal;
  await using _held = await takeLock({
    stateDir: lab.stateDir,
    role: "gateway",
    waitMs: 0,
    signal,
  });
  await expect(runIsolated(optionsOf(lab))).rejects.toMatchObject({ code: "LOCKED" });
});

test("the longest lines of the worst shape, several at once, fit into its heap", async () => {
  await using lab = await Lab.start();
  const worst = `{"type":"message","a":[${"{},".repeat(2_600_000)}{}]}`;
  for (const id of ["a", "b"]) {
    write(
      sessionPath(lab.stateDir, "main", `${id}.jsonl`),
      lines([...session(id), worst, worst, message(9)]),
    );
  }
  const report = await runIsolated(optionsOf(lab, { upload: { maxBytesPerRun: 100_000_000 } }));
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 16 } });
}, 60_000);
