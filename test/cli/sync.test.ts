import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { EXIT_CODES } from "../../src/cli/commands/exit-codes.ts";
import { STATUS_EXIT_CODES } from "../../src/cli/commands/status.ts";
import { EXIT } from "../../src/cli/exit.ts";
import { STATUS_EXIT } from "../../src/cli/status-exit.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { RunReport } from "../../src/run/report.ts";
import { run } from "../../src/run/run.ts";
import { WorkerRunner } from "../../src/run/worker-runner.ts";
import { InfluxionError } from "../../src/shared/problem.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { header, message, session, write } from "../support/transcripts.ts";

// `--all` waits no time for the host; what is idle is still told by the real time.
vi.mock(import("../../src/stores/idle.ts"), async (load) => ({
  ...(await load()),
  SETTLE_MS: 1 as never,
}));

test("exit code 0 when all is done, with one sentence about it", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const first = await lab.sync();
  expect(first.code).toBe(0);
  expect(first.err).toMatch(/^Note: first upload to .*\n$/);
  expect(first.out).toMatch(
    /^Uploaded 5 lines of 1 session: 1\.\d kB of transcripts, \d+ B on the wire\.\n$/,
  );
  expect(await lab.sync()).toEqual({
    code: 0,
    err: "",
    out: "Nothing to upload: everything is up to date.\n",
  });
});

test("exit code 1 for an agent that is not there, naming those that are", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, err } = await lab.sync({ agent: "mian" });
  expect(code).toBe(1);
  expect(err).toContain('no agent "mian"; there are: main');
});

test("exit code 2 when some sessions failed, with the others sent", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 400 } : undefined),
  });
  const { code, out } = await lab.sync({
    overrides: { apiUrl: server.url, upload: { concurrency: 1 } },
  });
  await server.close();
  expect(code).toBe(2);
  expect(out).toContain("Uploaded 5 lines of 1 session");
  expect(out).toMatch(/Failed: main\/\S: answered 400/);
});

test.for([
  ["refused", { kind: "status", status: 401 }, "The API refused the upload"],
  ["not there", { kind: "cut", at: "before-body" }, "The API could not be reached"],
] as const)("exit code 3 when the API is %s", async ([, behaviour, words]) => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: behaviour });
  const { code, out } = await lab.sync({ overrides: { apiUrl: server.url } });
  await server.close();
  expect(code).toBe(3);
  expect(out).toContain(words);
});

test("exit code 130 when interrupted; the next run goes on from there", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const abort = new AbortController();
  const server = await startFaultServer({
    script: () => {
      setTimeout(() => abort.abort(new Error("interrupted")), 20);
      return { kind: "stall" };
    },
  });
  const { code, err } = await lab.sync({ overrides: { apiUrl: server.url }, signal: abort.signal });
  await server.close();
  expect(code).toBe(130);
  expect(err).toContain("Interrupted.");
  expect((await lab.sync()).code).toBe(0);
});

test("--all goes on past the limits of one run, until nothing is waiting", async () => {
  await using lab = await Lab.start();
  const long = [
    header("long"),
    ...Array.from({ length: 400 }, (_, n) => message(n, "v".repeat(400))),
  ];
  const path = lab.session("main", "long", long);
  for (let n = 0; n < 9; n++) lab.session("main", `s${n}`);
  const overrides = { upload: { maxBytesPerRun: 60_000, maxFilesPerRun: 4 } };
  const { code, out } = await lab.sync({ all: true, json: true, overrides });
  expect(code).toBe(0);
  expect(JSON.parse(out).runs).toMatchObject([{ outcome: "done", left: { sessions: 0 } }]);
  expect(lab.receivedSessions()).toHaveLength(10);
  expect(lab.received("main", "long")).toBe(readFileSync(path, "utf8"));
});

test("P32: --all looks at what is waiting once, and writes the ledger a few times, however much is waiting", async () => {
  await using lab = await Lab.start();
  const sessions = 150;
  for (let n = 0; n < sessions; n++) lab.session("main", `s${n}`);
  const plans: number[] = [];
  const report = await lab.run(
    { upload: { maxFilesPerRun: 1 } },
    { all: true, events: { onPlan: (plan) => plans.push(plan.length) } },
  );
  expect(report).toMatchObject({ sent: { sessions }, left: { sessions: 0 } });
  // Each round is twice the one before: 1, 2, 4, … 64, and the rest.
  expect(plans).toEqual([1, 2, 4, 8, 16, 32, 64, 23]);
});

test("--agent sends that agent's sessions only", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("ops", "def");
  await lab.sync({ agent: "ops" });
  expect(lab.receivedSessions()).toEqual(["ops/def"]);
});

test("--json is exactly one document on stdout, whatever happens", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  for (const options of [{}, { dryRun: true }, { all: true }, { agentId: "nobody" }]) {
    const { out } = await lab.sync({ json: true, ...options });
    expect(() => JSON.parse(out), JSON.stringify(options)).not.toThrow();
  }
});

test("retries are told as they happen, without a terminal's control sequences", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 503 } : undefined),
  });
  const { err, code } = await lab.sync({
    overrides: { apiUrl: server.url, upload: { retryAttempts: 1 } },
  });
  await server.close();
  expect(code).toBe(0);
  expect(err).toMatch(/^Note: first upload to .*\nmain\/abc: answered 503; retrying now\n$/);
});

test("a session of another agent that was put aside is tried again by a command", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", session("abc"));
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 400 } : undefined),
  });
  const overrides = { apiUrl: server.url };
  expect((await lab.sync({ overrides })).code).toBe(2);
  expect((await lab.sync({ overrides })).code).toBe(0);
  expect((await lab.status({ overrides })).out).toMatch(/failing {5}0\n/);
  await server.close();
});

test("exit code 1 when the lock cannot be made, in words that say what to do", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  write(join(lab.stateDir, "influxion"), "a file where the folder should be");
  const { code, out, err } = await lab.sync();
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(
    /^Nothing was uploaded: the lock that keeps two uploads apart cannot be made: \S+influxion is no folder; move it away\n$/,
  );
  const json = await lab.sync({ json: true });
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    outcome: "error",
    error: { code: "LEDGER_UNWRITABLE" },
  });
});

test("a failure that nobody foresaw is one line and one JSON document, without a stack trace", async () => {
  await using lab = await Lab.start();
  const run = () => Promise.reject(new TypeError("x.y is not\u001b[2J a function"));
  const { code, out, err } = await lab.sync({ json: true, run });
  expect(code).toBe(1);
  expect(err).toEqual(
    expect.stringMatching(
      /^Nothing was uploaded: unexpected failure, please report it: TypeError at cli\/sync\.test\.ts:\d+:\d+\n$/,
    ),
  );
  expect(JSON.parse(out)).toMatchObject({ outcome: "error", error: { code: "UNEXPECTED" } });
});

/** One run that leaves a session which the host is rewriting, and a second one, for that, which fails. */
function thenFail(error: unknown): (options: RunOptions) => Promise<RunReport> {
  let runs = 0;
  return async (options) => {
    if (runs++ > 0) throw error;
    const report = await run(options);
    return { ...report, left: { sessions: 1, bytes: 10, settling: 1 } };
  };
}

test("what the first run of --all delivered is told when a later one breaks off", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  const failure = new InfluxionError("OUT_OF_MEMORY", "the upload needed more than 512 MB");
  const said = await lab.sync({ all: true, run: thenFail(failure) });
  expect(said.code).toBe(2);
  expect(said.out).toMatch(/^Uploaded 5 lines of 1 session/);
  expect(said.err).toMatch(/\nThe upload ended early: the upload needed more than 512 MB\n$/);
  const status = (await lab.status()).out;
  expect(status).toMatch(/Last run +0 s ago, failed: the upload needed more than 512 MB\n/);
  expect(status).toMatch(/Last upload +0 s ago, 5 lines of 1 session\n/);
});

test("--json keeps the reports of the runs before a failure or an interruption", async () => {
  for (const interrupt of [false, true]) {
    await using lab = await Lab.start();
    lab.session("main", "a");
    const abort = new AbortController();
    const failing = thenFail(new InfluxionError("RUN_ENDED", "the thread ended"));
    const { code, out } = await lab.sync({
      all: true,
      json: true,
      signal: abort.signal,
      run: (options) =>
        failing(options).catch((error) => {
          if (interrupt) abort.abort(error);
          throw error;
        }),
    });
    const document = JSON.parse(out);
    expect(code).toBe(interrupt ? 130 : 2);
    expect(document).toMatchObject({
      outcome: interrupt ? "interrupted" : "error",
      exitCode: code,
    });
    expect(document.runs.map((report: RunReport) => report.sent.sessions)).toEqual([1]);
    expect((await lab.status()).out).toMatch(interrupt ? /Last run .*interrupted/ : /thread ended/);
  }
});

test("a run that was aborted in the middle does not claim that nothing was uploaded", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  const { code, err } = await lab.sync({
    run: async (options) => {
      await run(options);
      throw new InfluxionError("RUN_ENDED", "the thread ended");
    },
  });
  expect(code).toBe(2);
  expect(err).toMatch(/^Note: first upload to .*\nThe upload ended early: the thread ended\n$/);
});

test("exit code 2, not that of a usage error, when transcripts cannot be read", async () => {
  await using lab = await Lab.start();
  write(join(lab.stateDir, "agents"), "a file where the folder should be");
  const { code, err } = await lab.sync();
  expect(code).toBe(2);
  expect(err).toMatch(/^Nothing was uploaded: .+agents cannot be read \(ENOTDIR\)\n$/);
});

test("the exit codes in the help are those of the README", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map((row) => [row[1], row[2]]);
  const [status, others] = [STATUS_EXIT_CODES, EXIT_CODES].map((help) =>
    [...help.matchAll(/^ {2}(\d+) +(.+)$/gm)].map((row) => [row[1], row[2]]),
  );
  expect(rows).toEqual([...(status ?? []), ...(others ?? [])]);
  expect(status?.map(([code]) => Number(code))).toEqual(Object.values(STATUS_EXIT));
  expect(others?.map(([code]) => Number(code))).toEqual(Object.values(EXIT));
});

test("--all tries again what was put aside, and tells of it once", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d", "e"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) =>
      index === 0 || index === 5 ? { kind: "status", status: 400 } : undefined,
  });
  const overrides = { apiUrl: server.url, upload: { maxFilesPerRun: 1 } };
  await using runner = new WorkerRunner();
  for (const requests of [5, 6]) {
    const said = await lab.sync({ all: true, overrides, run: (one) => runner.run(one) });
    expect({ code: said.code, requests: server.requests.length }).toEqual({ code: 2, requests });
    expect(said.out.match(/Failed: main/g)).toHaveLength(1);
  }
  await server.close();
});
