import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test, vi } from "vitest";
import { lockOwner, takeLock } from "../../src/ledger/lock.ts";
import { readLastRun } from "../../src/run/last-run.ts";
import type { RunEvents, RunOptions } from "../../src/run/options.ts";
import { runInWorker, WorkerRunner } from "../../src/run/worker-runner.ts";
import { LockedError } from "../../src/shared/problem.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { lines, message, session, sessionPath, write } from "../support/transcripts.ts";

const optionsOf = (
  lab: Lab,
  overrides: Record<string, unknown> = {},
  options: Partial<RunOptions> = {},
): RunOptions => lab.options(overrides, { trigger: "command", ...options });

/** A runner whose threads run `code` instead of uploading. */
function runnerOf(lab: Lab, code: string): WorkerRunner {
  const program = join(lab.dir, "program.ts");
  writeFileSync(program, code);
  return new WorkerRunner(pathToFileURL(program));
}

test("a run on its own thread delivers, tells how it goes on, and gives the lock back", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const told: string[] = [];
  const events: RunEvents = {
    onPlan: (plan) => told.push(`plan ${plan[0]?.sessionId}`),
    onBytes: (bytes) => told.push(`bytes ${bytes > 0}`),
    onSession: ({ sessionId }, result) => told.push(`${sessionId} ${result}`),
  };
  const report = await runInWorker(optionsOf(lab, {}, { events }));
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect([...new Set(told)]).toEqual(["plan abc", "bytes true", "abc done"]);
  expect(told.at(-1)).toBe("abc done");
  expect(await lockOwner(lab.stateDir)).toBeNull();
  expect((await runInWorker(optionsOf(lab))).sent.parts).toBe(0);
});

test("P51: ending it takes less than a second, leaves nothing behind and loses nothing", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "stall" } });
  const abort = new AbortController();
  const running = runInWorker(optionsOf(lab, { apiUrl: server.url }, { signal: abort.signal }));
  while (server.requests.length === 0) await new Promise((done) => setTimeout(done, 10));
  const start = performance.now();
  abort.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  expect(performance.now() - start).toBeLessThan(1000);
  expect(await lockOwner(lab.stateDir)).toBeNull();
  expect(server.requests).toHaveLength(1);
  await server.close();
  expect((await runInWorker(optionsOf(lab))).sent.lines).toBe(5);
});

test.for([0, 1, 10, 100])(
  "P51: a stop that comes %d turns of the event loop after the start is not overheard",
  async (turns) => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const server = await startFaultServer({ default: { kind: "stall" } });
    const abort = new AbortController();
    const options = optionsOf(lab, { apiUrl: server.url }, { signal: abort.signal });
    await using runner = new WorkerRunner();
    const running = runner.run(options);
    const start = performance.now();
    for (let turn = 0; turn < turns; turn++) await new Promise((done) => setImmediate(done));
    abort.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
    expect(performance.now() - start).toBeLessThan(1000);
    expect(server.requests).toEqual([]);
    expect(await lockOwner(lab.stateDir)).toBeNull();
    await server.close();
  },
);

test("the last bytes are reported as well", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c"]) lab.session("main", id);
  let sum = 0;
  const events: RunEvents = {
    onBytes: (bytes) => {
      sum += bytes;
    },
  };
  const report = await runInWorker(optionsOf(lab, {}, { events }));
  expect(report.sent.parts).toBe(3);
  expect(sum).toBe(report.sent.wireBytes);
});

test("a failure keeps its code and its words", async () => {
  await using lab = await Lab.start();
  const { primary } = lab.ledgerPaths;
  mkdirSync(dirname(primary), { recursive: true });
  writeFileSync(primary, '{"schemaVersion":9}');
  await expect(runInWorker(optionsOf(lab))).rejects.toMatchObject({
    code: "LEDGER_NEWER",
    message: expect.stringContaining("update the plugin"),
  });
  expect(await lockOwner(lab.stateDir)).toBeNull();
});

test("several runs share a thread, and one that failed does not spoil the next", async () => {
  await using lab = await Lab.start();
  await using runner = new WorkerRunner();
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
  await using runner = runnerOf(
    lab,
    `import { parentPort, threadId } from "node:worker_threads";
     parentPort.on("message", () => {
       parentPort.postMessage({ kind: "report", report: { threadId } });
       setTimeout(() => { throw new Error("stray"); }, 20);
     });`,
  );
  const first = await runner.run(optionsOf(lab));
  await new Promise((done) => setTimeout(done, 500));
  const second = await runner.run(optionsOf(lab));
  expect(second).not.toEqual(first);
});

test("P9: that another process uploads is exit code 3 of a command, and no failure of the service", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { stateDir } = lab;
  const { signal } = new AbortController();
  await using _held = await takeLock({ stateDir, role: "gateway", waitMs: 0, signal });
  const run = (options: RunOptions) => runInWorker({ ...options, lockWaitMs: 0 });
  const { code, out } = await lab.sync({ json: true, run });
  expect(code).toBe(3);
  expect(JSON.parse(out)).toMatchObject({ outcome: "error", error: { code: "LOCKED" } });
  // Whoever has the lock notes its own run.
  expect(await readLastRun(stateDir)).toBeNull();
  expect(await lab.serve()).toEqual([
    expect.stringMatching(/^influxion: no upload this time: the Gateway \(pid/),
  ]);
});

test("P9: it respects the lock of another, and says whom it waits for", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { stateDir } = lab;
  const { signal } = new AbortController();
  const held = await takeLock({ stateDir, role: "gateway", waitMs: 0, signal });
  const refused = runInWorker(optionsOf(lab));
  await expect(refused).rejects.toBeInstanceOf(LockedError);
  await expect(refused).rejects.toMatchObject({
    code: "LOCKED",
    message: expect.stringContaining(`the Gateway (pid ${process.pid}) has been uploading since`),
  });
  const onWait = vi.fn(() => void held[Symbol.asyncDispose]());
  const waiting = { lockWaitMs: 60_000, events: { onWait } };
  expect((await runInWorker(optionsOf(lab, {}, waiting))).sent.lines).toBe(5);
  expect(onWait.mock.calls).toEqual([[expect.objectContaining({ role: "gateway" })]]);
});

const LOCK_MODULE = new URL("../../src/ledger/lock.ts", import.meta.url).href;

/** A program that takes the lock, says so, and then does `then`. */
const holding = (lab: Lab, then: string): string => `
  import { open } from "node:fs/promises";
  import { openSync } from "node:fs";
  import { parentPort } from "node:worker_threads";
  import { takeLock } from ${JSON.stringify(LOCK_MODULE)};
  const fifo = ${JSON.stringify(join(lab.dir, "fifo"))};
  const { signal } = new AbortController();
  parentPort.on("message", async ({ kind }) => {
    if (kind !== "run") return;
    globalThis.lock = await takeLock({ stateDir: ${JSON.stringify(lab.stateDir)}, role: "gateway", waitMs: 0, signal });
    parentPort.postMessage({ kind: "onPlan", args: [[]] });
    setTimeout(async () => { ${then} });
  });`;

/** Runs `code` in a thread until it has the lock and a while longer, then ends it; says how long that took, in ms. */
async function ended(lab: Lab, runner: WorkerRunner): Promise<number> {
  const abort = new AbortController();
  const planned = Promise.withResolvers<void>();
  const events = { onPlan: () => planned.resolve() };
  const running = runner.run(optionsOf(lab, {}, { signal: abort.signal, events }));
  running.catch(() => undefined);
  await planned.promise;
  expect(await lockOwner(lab.stateDir)).toMatchObject({ role: "gateway" });
  const start = performance.now();
  abort.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  return performance.now() - start;
}

test.for([
  ["waits for something", "await new Promise(() => undefined)"],
  ["is busy", "for (;;);"],
] as const)("P51: the end of a thread that %s frees the lock", async ([, then]) => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await using runner = runnerOf(lab, holding(lab, then));
  expect(await ended(lab, runner)).toBeLessThan(1000);
  expect(await lockOwner(lab.stateDir)).toBeNull();
  expect((await runInWorker(optionsOf(lab))).sent.lines).toBe(5);
});

test.skipIf(process.platform === "win32").for([
  ["in the thread pool", "await open(fifo)"],
  ["in the thread itself", "openSync(fifo)"],
] as const)(
  "P51: a thread stuck in a system call, %s, does not hold up a stop; it keeps the lock, and nothing is uploaded until it is gone (POSIX: mkfifo(1))",
  async ([, then]) => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const fifo = join(lab.dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    // What it reads answers at last; no thread may outlive the test.
    const answer = (): void => {
      const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
      setTimeout(() => closeSync(end), 100);
    };
    await using runner = runnerOf(lab, holding(lab, then));
    expect(await ended(lab, runner)).toBeLessThan(1000);
    await expect(runner.run(optionsOf(lab))).rejects.toMatchObject({ code: "RUN_STUCK" });
    await expect(runInWorker(optionsOf(lab))).rejects.toMatchObject({ code: "LOCKED" });
    expect(lab.receiver.stats().parts).toBe(0);
    answer();
    await vi.waitFor(async () => expect(await lockOwner(lab.stateDir)).toBeNull(), 10_000);
    expect((await runInWorker(optionsOf(lab))).sent.lines).toBe(5);
  },
);

test("the longest lines of the worst shape, several at once, fit into its heap", async () => {
  await using lab = await Lab.start();
  const worst = `{"type":"message","a":[${"{},".repeat(2_600_000)}{}]}`;
  for (const id of ["a", "b"]) {
    write(
      sessionPath(lab.stateDir, "main", `${id}.jsonl`),
      lines([...session(id), worst, worst, message(9)]),
    );
  }
  const report = await runInWorker(optionsOf(lab, { upload: { maxBytesPerRun: 100_000_000 } }));
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 16 } });
}, 60_000);
