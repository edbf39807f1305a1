import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { status } from "../../src/cli/status.ts";
import { sync } from "../../src/cli/sync.ts";
import { readConfig } from "../../src/config/config.ts";
import type { RunReport } from "../../src/run/report.ts";
import { type Behaviour, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab, spoken } from "../support/lab.ts";
import { networkUse } from "../support/network-use.ts";
import { snapshot } from "../support/snapshot.ts";
import { lines, message, session, sessionPath, write } from "../support/transcripts.ts";

const unconfigured = (lab: Lab) => ({
  stateDir: lab.stateDir,
  config: readConfig({ apiKey: "not-enough" }),
});

test("P55: unconfigured, not one network call, status and sync included", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const used = await networkUse(async () => {
    const said = await spoken((terminal) =>
      status({ setup: unconfigured(lab), flags: { verbose: true }, terminal, now: Date.now }),
    );
    expect(said.code).toBe(1);
    expect(said.out).toContain("not configured, nothing is uploaded");
    expect(said.out).toContain("found nothing at deploymentId");
    expect(said.out).toContain('"projectId": "<project id>"');
    const synced = await spoken((terminal) =>
      sync({
        setup: unconfigured(lab),
        flags: {},
        context: {
          signal: new AbortController().signal,
          now: Date.now,
          random: Math.random,
        },
        secrets: () => Promise.reject(new Error("must not be asked")),
        run: () => Promise.reject(new Error("must not run")),
        terminal,
      }),
    );
    expect(synced.code).toBe(1);
    expect(synced.err).toContain("Nothing was uploaded: the config is not complete.");
  });
  expect(used).toEqual([]);
});

test("P55: a configured status makes no network call either", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  expect(await networkUse(() => lab.status({ verbose: true }))).toEqual([]);
  // The look itself works: an upload is seen by it.
  expect(await networkUse(() => lab.run())).toContain("TCPCONNECTWRAP");
});

test("P56: only sessions leave", async () => {
  await using lab = await Lab.start();
  lab.session("main", "real");
  const uuid = "01a0106f-6402-4fe4-a96a-ebcf037082a3";
  const content = lines(session("sentinel-not-a-session"));
  for (const name of [
    "real.trajectory.jsonl",
    `real.checkpoint.${uuid}.jsonl`,
    `${uuid}.acp-stream.jsonl`,
    "real.jsonl.corrupt-2026-10-02T04-00-00-000Z-0a1b2c3d.jsonl",
    `probe-openai-${uuid}.jsonl`,
    "real.jsonl.deleted.2026-11-22T10-03-36.159Z",
    "real.jsonl.bak",
    "real.jsonl.bak.2026-11-22T09-56-12.098Z",
    "real.jsonl.repair-1.tmp",
    "real.compact.1.tmp",
    "real.fallback.tmp",
    "real.jsonl.lock",
    "sessions.json",
    "real.trajectory-path.json",
    "real.trajectory.jsonl.reset.2026-11-22T09-56-39.719Z",
    ".hidden.jsonl",
  ]) {
    write(sessionPath(lab.stateDir, "main", name), content);
  }
  mkdirSync(sessionPath(lab.stateDir, "main", "active-memory"), { recursive: true });
  write(sessionPath(lab.stateDir, "main", "active-memory/inner.jsonl"), content);
  mkdirSync(sessionPath(lab.stateDir, "main", "folder.jsonl"), { recursive: true });
  const report = await lab.run({ filter: { minBytes: 0, minMessages: 0 } });
  expect(lab.receivedSessions()).toEqual(["main/real"]);
  expect(report.outcome).toBe("done");
  expect(report.problems.map(({ message: text }) => text)).toEqual([
    "folder.jsonl: a folder, not a session",
  ]);
});

test("P56: a file that only has a session's name is not sent", async () => {
  await using lab = await Lab.start();
  const trace = '{"traceSchema":"openclaw-trajectory","type":"session.started","seq":1}\n';
  write(sessionPath(lab.stateDir, "main", "trace.jsonl"), trace.repeat(20));
  write(sessionPath(lab.stateDir, "main", "notes.jsonl"), "some notes\n".repeat(200));
  const report = await lab.run({ filter: { minMessages: 0 } });
  expect(lab.receivedSessions()).toEqual([]);
  expect(report.problems).toHaveLength(2);
  expect(report.problems[0]?.message).toContain(
    "does not begin like an OpenClaw session and is not sent",
  );
});

test("P56: a session without header, as OpenClaw 2026.2 leaves it after a compaction, is sent", async () => {
  await using lab = await Lab.start();
  lab.session("main", "headless", session("x", 6).slice(1));
  expect((await lab.run()).sent.lines).toBe(6);
});

test("P57: --dry-run changes neither network nor ledger, and lists exactly what the real run then sends", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d"]) lab.session("main", id, session(id, 30));
  await lab.run({ upload: { maxFilesPerRun: 1 } });
  const overrides = { upload: { maxBytesPerRun: 15_000, maxFilesPerRun: 2 } };
  const before = snapshot(lab.stateDir);
  let listed = "";
  const used = await networkUse(async () => {
    listed = (await lab.sync({ overrides, dryRun: true, json: true })).out;
  });
  expect(used).toEqual([]);
  expect(snapshot(lab.stateDir)).toBe(before);
  const plan = JSON.parse(listed).sessions as { sessionId: string; bytes: number }[];
  const sent: { sessionId: string; bytes: number }[] = [];
  const real = await lab.run(overrides, {
    events: {
      onPlan: (planned) => {
        for (const { sessionId, bytes } of planned) sent.push({ sessionId, bytes });
      },
    },
  });
  expect(plan.map(({ sessionId, bytes }) => ({ sessionId, bytes }))).toEqual(sent);
  expect(real.sent.sourceBytes).toBe(plan.reduce((sum, { bytes }) => sum + bytes, 0));
});

test("P57: --dry-run --all lists what sync --all then sends, past the limits of one run", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d", "e"]) lab.session("main", id, session(id, 30));
  const server = await startFaultServer({
    script: ({ index }) => (index < 2 ? { kind: "status", status: 503 } : undefined),
  });
  const overrides = {
    apiUrl: server.url,
    upload: { maxBytesPerRun: 15_000, maxFilesPerRun: 2 },
  };
  // What was planned and not delivered goes first and as it was; the rest of it follows.
  expect((await lab.run(overrides)).outcome).toBe("unreachable");
  const before = snapshot(lab.stateDir);
  const listed = JSON.parse(
    (await lab.sync({ overrides, all: true, dryRun: true, json: true })).out,
  );
  expect(snapshot(lab.stateDir)).toBe(before);
  const { runs } = JSON.parse((await lab.sync({ overrides, all: true, json: true })).out);
  await server.close();
  expect(listed.sessions).toHaveLength(5);
  expect(runs.map((run: RunReport) => run.sent.sourceBytes)).toEqual([listed.totalBytes]);
  expect(listed.totalBytes).toBeGreaterThan(15_000);
});

test("P57: --dry-run tells the same trouble as the run, with the same exit code", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const outside = join(lab.dir, "outside.jsonl");
  write(outside, readFileSync(path));
  symlinkSync(outside, sessionPath(lab.stateDir, "main", "leak.jsonl"));
  write(join(lab.stateDir, "agents", "ops", "sessions"), "a file where the folder should be");
  for (const file of Object.values(lab.ledgerPaths)) write(file, "damaged");
  const dry = await lab.sync({ dryRun: true });
  const document = JSON.parse((await lab.sync({ dryRun: true, json: true })).out);
  expect(dry.code).toBe(2);
  expect(dry.out).toMatch(/Failed: ops: .+ cannot be read \(ENOTDIR\)/);
  expect(dry.out).toMatch(/Note: main: leak\.jsonl: a symlink, which is not followed/);
  expect(dry.out).toMatch(/Note: the record of what has been uploaded was damaged/);
  const real = JSON.parse((await lab.sync({ json: true })).out);
  expect(document.exitCode).toBe(real.exitCode);
  expect(document.failures).toEqual(real.runs[0].failures);
  const codes = ({ problems }: RunReport) => problems.map(({ code }) => code);
  expect(codes(document)).toEqual(codes(real.runs[0]));
});

const TRANSCRIPT = "sentinel-of-a-private-conversation";

for (const behaviour of [
  { kind: "accept" },
  { kind: "status", status: 401 },
  { kind: "status", status: 422 },
  { kind: "status", status: 503 },
  { kind: "html" },
  { kind: "garbage" },
  { kind: "cut", at: "in-body", afterBytes: 20 },
  { kind: "stall" },
] satisfies Behaviour[]) {
  const name = "status" in behaviour ? behaviour.status : behaviour.kind;
  test(`P58: neither key, header nor transcript text appears in anything that is said (${name})`, async () => {
    await using lab = await Lab.start();
    const path = lab.session("main", "abc", [
      ...session("abc"),
      message(7, TRANSCRIPT),
      `{"torn ${TRANSCRIPT}`,
    ]);
    write(path, `${readFileSync(path, "utf8")}not json ${TRANSCRIPT}\n`);
    const server = await startFaultServer({ default: behaviour });
    const overrides = { apiUrl: server.url, upload: { timeoutMs: 200, retryAttempts: 1 } };
    const logged = await lab.serve(overrides);
    const said = [
      await lab.sync({ overrides }),
      await lab.sync({ overrides, json: true, dryRun: true }),
      await lab.status({ overrides, verbose: true }),
      await lab.status({ overrides, json: true }),
    ];
    await server.close();
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${API_KEY}`);
    const kept = ["history.jsonl", "last-run.json", "state.json"].map((file) =>
      readFileSync(join(lab.stateDir, "influxion", file), "utf8"),
    );
    const text = [...logged, ...said.flatMap(({ out, err }) => [out, err]), ...kept].join("\n");
    for (const secret of [API_KEY, TRANSCRIPT, "Bearer"]) expect(text).not.toContain(secret);
  });
}

test("P58: a wrong config is described without the key", () => {
  for (const apiKey of [
    "sk-secret with space",
    "",
    12,
    ["sk-secret"],
    { sk: "sk-secret" },
    { source: "sk-secret", id: "sk-secret" },
  ]) {
    const result = readConfig({ apiKey, deploymentId: 7 });
    expect(JSON.stringify(result)).not.toContain("sk-secret");
    expect(result.ok).toBe(false);
  }
});

test("P59: session ids and paths shown in a terminal carry no control sequences", async () => {
  await using lab = await Lab.start();
  const evil = "a\u001b[2J\u0007\u202eb";
  lab.session("main", evil);
  mkdirSync(sessionPath(lab.stateDir, "main", "c\u001b[31m.jsonl"), { recursive: true });
  const server = await startFaultServer({ default: { kind: "status", status: 422 } });
  const overrides = { apiUrl: server.url };
  const said = [
    await lab.sync({ overrides, dryRun: true }),
    await lab.sync({ overrides }),
    await lab.status({ overrides, verbose: true }),
  ];
  await server.close();
  const text = said.flatMap(({ out, err }) => [out, err]).join("");
  expect(text).toContain("[2J");
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
});

test("P59: nor does the document of --json, which says the same in escaped form", async () => {
  await using lab = await Lab.start();
  const evil = "a\u0007\u009b2J\u202e\u2028\u{e0001}\u200d\u00adb";
  lab.session("main", evil);
  const server = await startFaultServer({ default: { kind: "status", status: 422 } });
  const overrides = { apiUrl: server.url };
  const said = [
    await lab.sync({ overrides, dryRun: true, json: true }),
    await lab.sync({ overrides, json: true }),
    await lab.status({ overrides, json: true }),
  ];
  await server.close();
  for (const { out } of said) {
    expect(out.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    const name = JSON.stringify(`${evil}.jsonl`);
    expect(JSON.stringify(JSON.parse(out))).toContain(JSON.stringify(name).slice(1, -1));
  }
});

test("P59: neither does anything in the Gateway's log, which names agent and session", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a\u001b[2J\u0007\u202eb");
  lab.session("main", "good");
  lab.session("dev\u001b[2J", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 422 } });
  const logged = await lab.serve({ apiUrl: server.url });
  write(join(lab.stateDir, "influxion", "state.json"), '{"schemaVersion":3}');
  logged.push(...(await lab.serve({ apiUrl: server.url })));
  await server.close();
  expect(logged.join("")).not.toMatch(/\p{C}/u);
  expect(logged).toContain(
    "influxion: failing: main/good: answered 422: the API does not take this session",
  );
  expect(logged.filter((line) => /dev\[2J: .+so nothing in it is sent/.test(line))).toHaveLength(1);
});

test("P60, P65: a symlink in a sessions folder is not followed, wherever it leads, and told", async () => {
  await using lab = await Lab.start();
  const inside = lab.session("main", "inside");
  const outside = join(lab.dir, "outside.jsonl");
  write(outside, lines(session("outside")));
  symlinkSync(outside, sessionPath(lab.stateDir, "main", "leak.jsonl"));
  symlinkSync(inside, sessionPath(lab.stateDir, "main", "alias.jsonl"));
  const report = await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/inside"]);
  expect(report.problems.map(({ message: text }) => text).sort()).toEqual([
    "alias.jsonl: a symlink, which is not followed",
    "leak.jsonl: a symlink, which is not followed",
  ]);
});

test("P60: a symlink that is put in place after the folder was listed leads nowhere either", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const outside = join(lab.dir, "outside.jsonl");
  // With the very bytes that were planned, so that nothing else keeps it from being read.
  write(outside, readFileSync(path));
  const { rmSync } = await import("node:fs");
  const report = await lab.run(
    {},
    {
      events: {
        onPlan: () => {
          rmSync(path);
          symlinkSync(outside, path);
        },
      },
    },
  );
  expect(report.sent.sessions).toBe(0);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P61: status adds up", async () => {
  await using lab = await Lab.start();
  for (const id of ["up-1", "up-2", "tmp-1", "poison"]) lab.session("main", id);
  lab.session("scratch", "denied");
  write(sessionPath(lab.stateDir, "main", "small.jsonl"), lines(session("small", 1)).slice(0, 200));
  write(sessionPath(lab.stateDir, "main", "sessions.json"), "{}");
  lab.session("main", "quiet", [
    ...session("quiet", 1),
    `{"type":"custom","data":"${"q".repeat(600)}"}`,
  ]);
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 422 } : undefined),
  });
  const overrides = {
    apiUrl: server.url,
    upload: { concurrency: 1 },
    filter: { agents: { deny: ["scratch"] }, sessions: { deny: ["tmp-*"] } },
  };
  await lab.run(overrides);
  lab.session("main", "later");
  const { out } = await lab.status({ overrides, json: true });
  const { counts, failing, agents } = JSON.parse(out);
  expect(counts).toMatchObject({
    found: 8,
    uploaded: 2,
    pending: 1,
    failing: 1,
    skipped: {
      "filter.agents.deny": 1,
      "filter.sessions.deny": 1,
      "filter.minBytes": 1,
      "filter.minMessages": 1,
    },
  });
  expect(failing[0].reason).toContain("answered 422");
  const sum = (one: typeof counts): number =>
    one.uploaded +
    one.pending +
    one.failing +
    Object.values<number>(one.skipped).reduce((a, b) => a + b, 0);
  for (const one of [counts, ...agents.map((agent: { counts: typeof counts }) => agent.counts)]) {
    expect(sum(one)).toBe(one.found);
  }
  await server.close();
});

test("P62: every omission has a counter and a reason", async () => {
  await using lab = await Lab.start();
  const bad = Buffer.concat([Buffer.from('{"type":"b'), Buffer.from([0xff]), Buffer.from('"}\n')]);
  const text = `${lines(session("abc"))}\n\nnot json\n{"no":"type"}\n${"k".repeat(9_000_000)}\n`;
  write(sessionPath(lab.stateDir, "main", "abc.jsonl"), Buffer.concat([Buffer.from(text), bad]));
  const { out } = await lab.sync({ json: true });
  const [report] = JSON.parse(out).runs;
  expect(report.lines).toEqual({
    raw: 1,
    omitted: 1,
    untyped: 1,
    invalidUtf8: 1,
    blank: 2,
    redacted: 0,
    withheld: 0,
    rejected: 0,
  });
});

test("nothing changes in the folder that the plugin is installed in: OpenClaw loads no plugin whose folder changes meanwhile", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const folder = join(lab.stateDir, "extensions", "influxion");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}");
  const look = (): unknown[] =>
    [
      folder,
      ...readdirSync(folder, { recursive: true }).map((name) => join(folder, `${name}`)),
    ].map((path) => [path, statSync(path, { bigint: true }).ctimeNs]);
  const before = look();
  expect((await lab.run()).outcome).toBe("done");
  expect(look()).toEqual(before);
});
