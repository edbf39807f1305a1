import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Progress, summary } from "../../src/cli/sync-format.ts";
import { takeLock } from "../../src/ledger/lock.ts";
import { describeRun } from "../../src/openclaw/log-line.ts";
import { noteRun } from "../../src/run/last-run.ts";
import type { RunReport } from "../../src/run/report.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab, spoken } from "../support/lab.ts";
import { header, message } from "../support/transcripts.ts";

const NOTHING: RunReport = {
  outcome: "done",
  trigger: "command",
  settled: false,
  startedAt: "2026-11-24T10:00:00.000Z",
  endedAt: "2026-11-24T10:00:01.000Z",
  sent: { sessions: 0, parts: 0, lines: 0, messages: 0, sourceBytes: 0, wireBytes: 0 },
  lines: {
    raw: 0,
    omitted: 0,
    untyped: 0,
    invalidUtf8: 0,
    blank: 0,
    redacted: 0,
    withheld: 0,
    rejected: 0,
  },
  redactions: {},
  failures: [],
  failed: 0,
  postponed: [],
  problems: [],
  warnings: [],
  left: { sessions: 0, bytes: 0, settling: 0 },
};

const SENT = { sessions: 1, parts: 1, lines: 1, messages: 1, sourceBytes: 2000, wireBytes: 12_400 };

async function said(report: Partial<RunReport>): Promise<string[]> {
  const { out } = await spoken(async (terminal) => {
    terminal.out.write(
      summary({ ...NOTHING, ...report }, terminal, { all: false, stateDir: "/s" }),
    );
    return 0;
  });
  return out.trimEnd().split("\n");
}

test("one line and more than one are told in their grammar", async () => {
  const lines = (n: number) => ({
    ...NOTHING.lines,
    raw: n,
    omitted: n,
    invalidUtf8: n,
    rejected: n,
  });
  expect((await said({ lines: lines(1) })).slice(1)).toEqual([
    "1 line that was not a JSON object went as raw text.",
    "1 line was too long; only its length was sent.",
    "1 line had bytes that are not UTF-8; they were replaced.",
    "1 line arrived and was rejected by the API.",
  ]);
  expect((await said({ lines: lines(2) })).slice(1)).toEqual([
    "2 lines that were not JSON objects went as raw text.",
    "2 lines were too long; only their lengths were sent.",
    "2 lines had bytes that are not UTF-8; they were replaced.",
    "2 lines arrived and were rejected by the API.",
  ]);
});

test("one session and more than one that are still waiting", async () => {
  const left = (sessions: number) => ({ sessions, bytes: 3000, settling: 0 });
  expect((await said({ left: left(1) })).at(-1)).toBe(
    '1 session is still waiting, 3.0 kB. The next run goes on with it; "--all" does it now.',
  );
  expect((await said({ left: left(2) })).at(-1)).toBe(
    '2 sessions are still waiting, 3.0 kB. The next run goes on with them; "--all" does it now.',
  );
});

test("sessions that wait for the same reason are told together, and a reason that is known already is not told again", async () => {
  const waits = (id: string, reason: string) => ({ agentId: "main", sessionId: id, reason });
  const postponed = [
    ...["a", "b", "c", "d", "e"].map((id) => waits(id, "answered 503")),
    waits("f", "it was rewritten"),
  ];
  expect(await said({ outcome: "unreachable", reason: "answered 503", postponed })).toEqual([
    "The API could not be reached: answered 503",
    "Deferred: main/a, main/b, main/c and 2 more.",
    "Deferred: main/f: it was rewritten",
  ]);
});

test("the Gateway's line about a run counts in people's units", () => {
  expect(describeRun({ ...NOTHING, sent: SENT })).toBe(
    "uploaded 1 session (1 line, 12 kB on the wire)",
  );
  expect(describeRun({ ...NOTHING, failed: 1, outcome: "partial" })).toBe(
    "uploaded nothing, 1 failing",
  );
  expect(describeRun(NOTHING)).toBeNull();
});

test("a wait of less than a second is none", async () => {
  const { err } = await spoken(async (terminal) => {
    const { events } = new Progress(terminal, 0);
    events.onRetry?.({ agentId: "main", sessionId: "a" }, "answered 503", 400);
    events.onRetry?.({ agentId: "main", sessionId: "a" }, "answered 503", 2400);
    return 0;
  });
  expect(err).toBe("main/a: answered 503; retrying now\nmain/a: answered 503; retrying in 2 s\n");
});

test("a session of which only some parts arrived counts as one", async () => {
  await using lab = await Lab.start();
  const big = Array.from({ length: 20 }, (_, n) => message(n, "v".repeat(500_000)));
  lab.session("main", "abc", [header("abc"), ...big]);
  const server = await startFaultServer({
    script: ({ index }) => (index === 1 ? { kind: "status", status: 400 } : undefined),
  });
  const { out } = await lab.sync({ overrides: { apiUrl: server.url } });
  await server.close();
  expect(out).toMatch(/^Uploaded \d+ lines of 1 session/);
});

test("without any session, sync says where it looked and how to see more", async () => {
  await using lab = await Lab.start();
  const words = `No sessions were found in ${lab.stateDir}; "openclaw influxion status --verbose" shows which agents there are.\n`;
  expect(await lab.sync()).toEqual({ code: 0, err: "", out: words });
  expect((await lab.sync({ dryRun: true })).out).toContain(words);
});

test("status tells lines that did not go in their grammar", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const long = `{"type":"custom","data":"${"q".repeat(8_400_000)}"}`;
  lab.append(path, [long]);
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "reject-lines", lines: [1, 2] } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { maxBytesPerRun: 30_000_000 } };
  await lab.sync({ overrides });
  await server.close();
  const { out } = await lab.status({ overrides });
  expect(out).toContain("2 lines arrived and were rejected by the API\n");
  expect(out).toContain("1 line too long to send; the API knows its length\n");
});

test("status does not ask whether the Gateway runs while somebody uploads", async () => {
  await using lab = await Lab.start();
  const at = new Date(Date.now() - 3_600_000).toISOString();
  await noteRun(lab.stateDir, { report: NOTHING, failure: null, at, nextAt: at });
  expect((await lab.status()).out).toMatch(/Next run +was due 1 h ago; is the Gateway running\?\n/);
  const signal = new AbortController().signal;
  const { stateDir } = lab;
  await using _held = await takeLock({ stateDir, role: "gateway", waitMs: 0, signal });
  const { out } = await lab.status();
  expect(out).not.toContain("is the Gateway running?");
  expect(out).toMatch(/Next run +after this upload\n/);
});

test("the README's samples show sizes as the commands do", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const samples = readme.split("```").filter((_, n) => n % 2 === 1);
  const sizes = samples.join().match(/[\d.]+ [kMG]?B\b/g) ?? [];
  expect(sizes.length).toBeGreaterThan(3);
  for (const size of sizes) expect(size).toMatch(/^(\d\.\d [kMG]B|\d{2,3} [kMG]B|\d{1,3} B)$/);
});
