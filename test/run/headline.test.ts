import { expect, test } from "vitest";
import { headlineOf } from "../../src/run/headline.ts";
import type { LastRun } from "../../src/run/last-run.ts";
import { type Counts, readState, type UploadState } from "../../src/run/state.ts";
import { clockTime } from "../../src/shared/text.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";

const NOW = new Date(2026, 10, 28, 14, 0).getTime();
const EVERY = { everyMs: 900_000 };
const OFF = { everyMs: 0 };

const iso = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

const NOTHING: Counts = {
  found: 9,
  uploaded: 9,
  pending: 0,
  pendingBytes: 0,
  skipped: {},
  failing: 0,
  growing: 0,
  settling: 0,
};

const pausedUntil = (until: number | null) => ({ since: NOW - 60_000, until, damage: null });

const WELL: UploadState = {
  counts: NOTHING,
  agents: [],
  failing: [],
  problems: [],
  failures: [],
  unmatched: [],
  rejectedLines: 0,
  omittedLines: 0,
  oldestPendingAt: null,
  deletions: [],
  hasTaken: true,
  refused: null,
  notBefore: null,
  paused: null,
  lastRun: { report: null, failure: null, at: iso(-3), nextAt: iso(12) },
  uploading: null,
};

const lastRun = (overrides: object): Pick<UploadState, "lastRun"> => ({
  lastRun: { ...WELL.lastRun, ...overrides } as LastRun,
});
const counts = (overrides: Partial<Counts>): Pick<UploadState, "counts"> => ({
  counts: { ...NOTHING, ...overrides },
});

const REFUSED = { refused: { reason: "answered 401", at: NOW } };
const WAITING = counts({ pending: 2, pendingBytes: 32_000 });
const FAILING = counts({ failing: 1 });
const GATEWAY = { pid: 1, host: "here", role: "gateway", since: iso(-2) } as const;
const FULL = { code: "LEDGER_UNWRITABLE", message: "the disk is full" } as const;

test.for<[string, { everyMs: number }, Partial<UploadState>, string, string]>([
  ["nothing to do", EVERY, {}, "up-to-date", "up to date"],
  ["something to send", EVERY, WAITING, "behind", "2 sessions to send, 32 kB; next run in 12 min"],
  [
    "something to send and no run yet",
    EVERY,
    { ...WAITING, lastRun: null },
    "behind",
    "2 sessions to send, 32 kB; the Gateway has not run yet",
  ],
  ["the interval off", OFF, {}, "off", 'off; only "openclaw influxion sync" uploads'],
  [
    "the interval off and a run that was due before",
    OFF,
    { ...WAITING, ...lastRun({ nextAt: iso(-60) }) },
    "off",
    'off; 2 sessions to send, 32 kB; only "openclaw influxion sync" uploads',
  ],
  [
    "an upload going on, although the run before was refused",
    EVERY,
    { ...REFUSED, uploading: GATEWAY },
    "uploading",
    "uploading by the Gateway since 13:58",
  ],
  ["a pause", EVERY, { ...REFUSED, paused: pausedUntil(null) }, "paused", "paused"],
  [
    "a pause with an end",
    OFF,
    { ...WAITING, paused: pausedUntil(NOW + 300_000) },
    "paused",
    "paused until 14:05",
  ],
  [
    "a pause that cannot be read",
    EVERY,
    { paused: { since: null, until: null, damage: "EACCES" } },
    "stopped",
    'stopped: the file that says whether uploads are paused cannot be read (EACCES); "openclaw influxion resume" removes it',
  ],
  ["a refused key", EVERY, { ...REFUSED, ...FAILING }, "refused", "refused: nothing is sent"],
  [
    "an API that asked to wait",
    EVERY,
    { notBefore: NOW + 300_000, ...WAITING },
    "waiting",
    "waiting for the API until 14:05",
  ],
  [
    "an API that asked to wait until tomorrow",
    EVERY,
    { notBefore: NOW + 12 * 3_600_000 },
    "waiting",
    "waiting for the API until 2026-11-29 02:00",
  ],
  ["a full disk", EVERY, { problems: [FULL], ...WAITING }, "stopped", "stopped: the disk is full"],
  [
    "a run that could not begin",
    EVERY,
    lastRun({ failure: "apiKey is not set", attempt: { outcome: "failed" } }),
    "stopped",
    "stopped: apiKey is not set",
  ],
  [
    "a run that was interrupted",
    EVERY,
    lastRun({ failure: "interrupted", attempt: { outcome: "interrupted" } }),
    "up-to-date",
    "up to date",
  ],
  [
    "a Gateway that does nothing",
    EVERY,
    { ...WAITING, ...lastRun({ nextAt: iso(-20) }) },
    "late",
    "late: a run was due 20 min ago; is the Gateway running?",
  ],
  [
    "an API that is not there",
    EVERY,
    { ...WAITING, ...lastRun({ report: { outcome: "unreachable" } }) },
    "unreachable",
    "the API cannot be reached; tried again in 12 min",
  ],
  [
    "an API whose wait is over",
    EVERY,
    { notBefore: NOW - 1, ...lastRun({ report: { outcome: "unreachable" }, nextAt: iso(0) }) },
    "unreachable",
    "the API asked to wait; tried again now",
  ],
  [
    "a failing session among others",
    EVERY,
    counts({ failing: 1, pending: 2 }),
    "failing",
    "1 of 9 sessions is failing; 2 are waiting",
  ],
  [
    "failing sessions, and an interval that is off",
    OFF,
    counts({ failing: 2 }),
    "failing",
    "2 of 9 sessions are failing",
  ],
  ["a store that cannot be read", EVERY, { failures: ["x"] }, "failing", "1 store is failing"],
])("the headline of %s", ([, config, overrides, kind, text]) => {
  expect(headlineOf(config, { ...WELL, ...overrides }, NOW)).toEqual({ kind, text });
});

test("a refused key is no headline any more once the config has another one", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 401 } });
  const overrides = { apiUrl: server.url };
  await lab.run(overrides);
  await server.close();
  const headline = async (config: Record<string, unknown>) =>
    headlineOf(EVERY, await readState(lab.stateDir, lab.config(config), lab.now), lab.now());
  expect(await headline(overrides)).toMatchObject({ kind: "refused" });
  const reference = { source: "env", provider: "default", id: "KEY" };
  expect(await headline({ ...overrides, apiKey: reference })).toMatchObject({ kind: "refused" });
  expect(await headline({ ...overrides, apiKey: "another" })).toMatchObject({ kind: "behind" });
});

test("a time is named with its day unless that is today", () => {
  expect(clockTime(NOW + 60_000, NOW)).toBe("14:01");
  expect(clockTime(NOW - 24 * 3_600_000, NOW)).toBe("2026-11-27 14:00");
});
