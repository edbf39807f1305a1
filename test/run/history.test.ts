import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  appendHistory,
  type HistoryEntry,
  historyPath,
  readHistory,
} from "../../src/run/history.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

const STARTED = Date.parse("2026-11-27T09:00:00.000Z");

/** The run with this number, a minute behind the one before it. */
function entry(number: number, overrides: Partial<HistoryEntry> = {}): HistoryEntry {
  const at = new Date(STARTED + number * 60_000).toISOString();
  const sent = { sessions: 1, lines: number, parts: 1, bytes: 10, wireBytes: 5, failed: 0 };
  const run = { at, startedAt: at, trigger: "interval", outcome: "done", reason: null };
  return { ...run, ...sent, waiting: { sessions: 0, bytes: 0 }, durationMs: 0, ...overrides };
}

function stateDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "influxion-history-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(dirname(historyPath(dir)));
  return dir;
}

test("the last 100 runs are remembered, the newest last", async () => {
  const dir = stateDir();
  for (let number = 0; number < 130; number++) await appendHistory(dir, entry(number));
  const history = await readHistory(dir);
  expect(history).toHaveLength(100);
  expect(history.map(({ lines }) => lines)).toEqual(Array.from({ length: 100 }, (_, n) => n + 30));
});

test("the file stays small, whatever runs report, and is for its owner alone", async () => {
  const dir = stateDir();
  const path = historyPath(dir);
  const sizes: number[] = [];
  for (let number = 0; number < 700; number++) {
    const reason = `${number} ${"密".repeat(250)}`;
    await appendHistory(dir, entry(number, { outcome: "partial", reason }));
    sizes.push(statSync(path).size);
  }
  expect(Math.max(...sizes)).toBeLessThan(258 * 1024);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await readHistory(dir)).toHaveLength(100);
});

test("a line that was cut off by a crash costs no other one", async () => {
  const dir = stateDir();
  await appendHistory(dir, entry(1));
  appendFileSync(historyPath(dir), JSON.stringify(entry(2)).slice(0, 80));
  await appendHistory(dir, entry(3));
  appendFileSync(historyPath(dir), 'null\n{"at":"never"}\nnot JSON\n');
  await appendHistory(dir, entry(4));
  expect((await readHistory(dir)).map(({ lines }) => lines)).toEqual([1, 3, 4]);
});

test("runs in a row that send nothing for the same reason are one entry", async () => {
  const dir = stateDir();
  const down = { outcome: "unreachable", reason: "ECONNREFUSED", parts: 0, waiting: null };
  await appendHistory(dir, entry(1));
  for (const number of [2, 3, 4]) await appendHistory(dir, entry(number, down));
  await appendHistory(dir, entry(5));
  await appendHistory(dir, entry(6));
  const history = await readHistory(dir);
  expect(history.map(({ lines, times }) => [lines, times])).toEqual([
    [1, undefined],
    [4, 3],
    [5, undefined],
    [6, undefined],
  ]);
  expect(history[1]).toMatchObject({ startedAt: entry(2).at, at: entry(4).at });
});

test("what stands in the place of the history is neither followed nor a failure of the run", async () => {
  const dir = stateDir();
  const elsewhere = join(dir, "elsewhere");
  writeFileSync(elsewhere, "mine");
  symlinkSync(elsewhere, historyPath(dir));
  await appendHistory(dir, entry(1));
  expect(await readHistory(dir)).toEqual([]);
  expect(readFileSync(elsewhere, "utf8")).toBe("mine");
});

test("runs by the Gateway and by commands are in the history, and those that found nothing to do are not", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.sync();
  await lab.sync();
  lab.append(path, [message(50)]);
  await lab.serve({}, 2);
  const history = await readHistory(lab.stateDir);
  expect(history).toMatchObject([
    { trigger: "manual", outcome: "done", reason: null, sessions: 1, lines: 5, failed: 0 },
    { trigger: "interval", outcome: "done", sessions: 1, lines: 1, waiting: { sessions: 0 } },
  ]);
  expect(history[0]?.wireBytes).toBeGreaterThan(0);
});

test("a run that the API did not take is in the history with its reason", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 401 } });
  await lab.sync({ overrides: { apiUrl: server.url } });
  await lab.serve({ apiUrl: server.url });
  await server.close();
  const history = await readHistory(lab.stateDir);
  expect(history).toMatchObject([
    { trigger: "manual", outcome: "refused", waiting: { sessions: 1 }, parts: 0 },
    // It did not look, so it does not know.
    { trigger: "interval", outcome: "refused", waiting: null },
  ]);
  expect(history[0]?.reason).toContain("401");
});

test("a run that came to no report is in the history with what ended it", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  mkdirSync(lab.ledgerPaths.primary, { recursive: true });
  await lab.sync();
  expect(await readHistory(lab.stateDir)).toMatchObject([
    { trigger: "manual", outcome: "failed", reason: expect.stringContaining("cannot be read") },
  ]);
});
