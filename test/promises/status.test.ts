import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab, type Spoken } from "../support/lab.ts";
import { message, write } from "../support/transcripts.ts";

/** What stands in the first line, behind name and version. */
const headline = ({ out }: Spoken): string => out.split("\n", 1)[0]?.replace(/^.*?: /, "") ?? "";

const NOTHING_GOES = /^ {2}Next run/m;

test("P104: status says that all is up to date, or what is to be sent, and exits with 0", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const before = await lab.status();
  expect([headline(before), before.code]).toEqual([
    "1 session to send, 1.1 kB; the Gateway has not run yet",
    0,
  ]);
  await lab.serve();
  const after = await lab.status();
  expect([headline(after), after.code]).toEqual(["up to date", 0]);
  lab.append(path, [message(50)]);
  const more = await lab.status();
  expect(headline(more)).toMatch(/^1 session to send, \d+ B; next run (now|in \d s)$/);
  expect(more.out).toMatch(/^ {2}To send +1 session, \d+ B, the oldest line from \d+ days ago\n/m);
  expect(more.out).toMatch(/^ {2}Last upload +\d+ s ago, 5 lines of 1 session\n/m);
});

test("P104: status says that the API refuses, names no next run then, and exits with 3", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 401 } });
  const overrides = { apiUrl: server.url };
  await lab.serve(overrides);
  await server.close();
  const refused = await lab.status({ overrides });
  expect([headline(refused), refused.code]).toEqual(["refused: nothing is sent", 3]);
  expect(refused.out).not.toMatch(NOTHING_GOES);
});

test("P104: status says until when the API asked to wait, names no run before that, and exits with 3", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({
    default: { kind: "status", status: 429, headers: { "retry-after": "3600" } },
  });
  const overrides = { apiUrl: server.url };
  await lab.serve(overrides);
  await server.close();
  const waiting = await lab.status({ overrides });
  expect(headline(waiting)).toMatch(/^waiting for the API until (\S+ )?\d\d:\d\d$/);
  expect(waiting.code).toBe(3);
  expect(waiting.out).not.toMatch(NOTHING_GOES);
});

test("P104: status says that the API is not there, when it is tried again, and exits with 3", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "cut", at: "before-body" } });
  const overrides = { apiUrl: server.url };
  await lab.serve(overrides);
  await server.close();
  const { code, ...said } = await lab.status({ overrides });
  expect(headline({ code, ...said })).toMatch(/^the API cannot be reached; tried again /);
  expect(code).toBe(3);
});

test("P104: status says that a run is late, and exits with 3", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.serve();
  lab.clockOffset = 2 * 3_600_000;
  const late = await lab.status();
  expect([headline(late), late.code]).toEqual([
    "late: a run was due 2 h ago; is the Gateway running?",
    3,
  ]);
});

test("P104: status says that sessions are failing, and exits with 2, also while the interval is off", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 400 } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { every: "0", concurrency: 1 } };
  await lab.sync({ overrides });
  await server.close();
  const failing = await lab.status({ overrides });
  expect([headline(failing), failing.code]).toEqual(["1 of 2 sessions is failing", 2]);
});

test("P104: status says that a run cannot begin, and exits with 1", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const unresolved = () => Promise.reject(new Error("not foreseen"));
  await lab.sync({ secrets: unresolved });
  const stopped = await lab.status();
  expect(headline(stopped)).toMatch(/^stopped: unexpected failure, please report it: Error/);
  expect(stopped.code).toBe(1);
  await lab.sync();
  expect((await lab.status()).code).toBe(0);
  mkdirSync(lab.ledgerPaths.copy.replace("copy", "other"), { recursive: true });
  for (const file of Object.values(lab.ledgerPaths)) write(file, '{"schemaVersion":99}');
  const newer = await lab.status({ json: true });
  expect([JSON.parse(newer.out).exitCode, newer.code]).toEqual([1, 1]);
});

test("P104: a run that was interrupted is no reason to say that uploads are stopped", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync({ signal: AbortSignal.abort(new Error("interrupted")) });
  const { out, code } = await lab.status();
  expect(out).toContain("interrupted");
  expect([out.startsWith("Influxion"), out.includes("stopped"), code]).toEqual([true, false, 0]);
});

test("P104: status says that only commands upload, and exits with 0", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const off = await lab.status({ overrides: { upload: { every: "0" } } });
  expect([headline(off), off.code]).toEqual([
    'off; 1 session to send, 1.1 kB; only "openclaw influxion sync" uploads',
    0,
  ]);
});

test("P104: the headline and the exit code are in the JSON of status, too", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  const { out, code } = await lab.status({ json: true });
  expect(JSON.parse(out)).toMatchObject({
    configured: true,
    headline: { kind: "up-to-date", text: "up to date" },
    exitCode: code,
    oldestPendingAt: null,
    target: { deploymentId: "lab" },
    counts: { uploaded: 1 },
  });
});

test.each([50, 80])("P104: no line of status is wider than %d columns", async (columns) => {
  await using lab = await Lab.start();
  for (const id of ["a-session-with-a-long-id", "b"]) lab.session("main", id);
  const reason = "the project is not known to this deployment of the API, see its page ".repeat(3);
  const server = await startFaultServer({
    default: { kind: "status", status: 400, body: JSON.stringify({ error: { message: reason } }) },
  });
  const overrides = { apiUrl: server.url };
  await lab.sync({ overrides });
  await server.close();
  const { out } = await lab.status({ overrides, columns, verbose: true });
  const lines = out.replace(/\p{Cc}\[[0-9;]*m/gu, "").split("\n");
  // A path and a target are shown whole.
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
  expect(out).toContain("Failing");
});
