import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { writeLedgerFile } from "../../src/ledger/files.ts";
import { MISSING_EVERY_MS, MISSING_TIMES } from "../../src/ledger/target.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { message, rest, session } from "../support/transcripts.ts";

test("P1: the ledger moves only after a fully received receipt", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const answers = [
    { kind: "html" },
    { kind: "wrong-counts", accepted: 1, rejected: 0 },
    { kind: "cut", at: "in-answer" },
    { kind: "cut", at: "after-answer-headers" },
    { kind: "status", status: 200, body: "{}" },
    { kind: "status", status: 204 },
  ] as const;
  for (const behaviour of answers) {
    const server = await startFaultServer({ default: behaviour });
    const report = await lab.run({ apiUrl: server.url });
    await server.close();
    expect(report.outcome, behaviour.kind).toBe("unreachable");
    expect(report.sent.lines, behaviour.kind).toBe(0);
    expect(report.left.sessions, behaviour.kind).toBe(1);
  }
  expect((await lab.run()).sent.lines).toBe(5);
});

test("P2: what the server took before a crash is sent again with the same key and the same bytes", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "accept-then-drop" } : undefined),
  });
  await lab.run({ apiUrl: server.url });
  lab.append(path, [message(9)]);
  await lab.run({ apiUrl: server.url });
  await server.close();
  const [first, second] = server.requests;
  expect(second?.idempotencyKey).toBe(first?.idempotencyKey);
  expect(second?.lines).toEqual(first?.lines);
});

test("P3: after a clean stop and restart nothing already confirmed is sent again", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c"]) lab.session("main", id);
  await lab.run();
  const report = await lab.run();
  expect(report.sent.parts).toBe(0);
  expect(lab.receiver.stats()).toMatchObject({ parts: 3, repeats: 0 });
});

test("P4: after kill -9 at any instant the ledger is the old one or the new one", async () => {
  await using lab = await Lab.start();
  const child = join(import.meta.dirname, "..", "support", "save-forever.ts");
  for (let kill = 0; kill < 8; kill++) {
    const process = spawn(globalThis.process.execPath, [child, lab.stateDir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(process.stdout, "data");
    await new Promise((done) => setTimeout(done, 5 + kill * 11));
    process.kill("SIGKILL");
    await once(process, "exit");
    const ledger = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8"));
    expect(ledger.revision).toBeGreaterThan(0);
    expect(
      Object.keys(Object.values<{ sessions: object }>(ledger.targets)[0]?.sessions ?? {}),
    ).toHaveLength(500);
  }
});

test("P5: a left-over temp file beside the ledger never breaks a start, and is removed", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const folder = dirname(lab.ledgerPaths.primary);
  mkdirSync(folder, { recursive: true });
  for (const name of ["state.1234", "state.copy.1234"]) {
    writeFileSync(join(folder, `.influxion-${name}.tmp`), '{"schemaVersion":2,"rev');
  }
  expect((await lab.run()).outcome).toBe("done");
  expect(readdirSync(folder).sort()).toEqual([
    "state.copy.json",
    "state.json",
    "uploads.lock.sqlite",
  ]);
});

for (const [name, content] of [
  ["truncated", '{"schemaVersion":2,"revision":3,"targets":{"x":{"apiUrl":"ht'],
  ["empty", ""],
  ["not JSON", "<html>"],
  ["of wrong types", '{"schemaVersion":2,"revision":"3","targets":[]}'],
] as const) {
  test(`P6: a ledger that is ${name} is kept aside, reported, and does not stop uploads`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    await lab.run();
    const { primary } = lab.ledgerPaths;
    writeFileSync(primary, content);
    const path = lab.session("main", "new");
    const report = await lab.run();
    expect(report.problems.map(({ code }) => code)).toEqual(["LEDGER_DAMAGED"]);
    expect(report.problems[0]?.message).toContain("kept as state.json.damaged-");
    const aside = readdirSync(dirname(primary)).find((file) => file.includes("damaged"));
    expect(readFileSync(join(dirname(primary), aside ?? ""), "utf8")).toBe(content);
    // The last good copy remembers what was uploaded, so only the new session goes.
    expect(report.sent.sessions).toBe(1);
    expect(lab.received("main", "new")).toBe(readFileSync(path, "utf8"));
  });
}

test("P6: with both copies damaged everything is sent again, and that is said", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  writeFileSync(lab.ledgerPaths.primary, "");
  writeFileSync(lab.ledgerPaths.copy, "");
  const report = await lab.run();
  expect(report.problems.map(({ code }) => code)).toContain("LEDGER_LOST");
  expect(report.sent.sessions).toBe(1);
});

test("the last good copy brings the ledger back when the first is gone", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  rmSync(lab.ledgerPaths.primary);
  const report = await lab.run();
  expect(report.sent.parts).toBe(0);
  expect(report.problems).toEqual([]);
});

test("P7: a ledger of a newer version is not overwritten; the run stops with a clear message", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { primary } = lab.ledgerPaths;
  mkdirSync(dirname(primary), { recursive: true });
  const newer = '{"schemaVersion":3,"something":"else"}';
  writeFileSync(primary, newer);
  const { code, err } = await lab.sync();
  expect(code).toBe(1);
  expect(err).toContain("was written by a newer influxion (schemaVersion 3");
  expect(err).toContain("update the plugin");
  expect(readFileSync(primary, "utf8")).toBe(newer);
  expect((await lab.status()).out).toContain("newer influxion");
  expect(lab.receiver.stats().parts).toBe(0);
});

test("P8: when the ledger cannot be written, nothing is sent", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  // A folder where the file should be fails for root as well, whom no mode stops.
  mkdirSync(join(lab.ledgerPaths.primary, "in the way"), { recursive: true });
  const { code, err } = await lab.sync();
  expect(code).toBe(1);
  expect(err).toContain("the record of what has been uploaded cannot be");
  expect(lab.receiver.stats().parts).toBe(0);
});

test("P6: a copy of the ledger that cannot be written is told, and written once it can be", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { copy } = lab.ledgerPaths;
  const server = await startFaultServer({
    script: () => {
      rmSync(copy, { force: true });
      mkdirSync(join(copy, "in the way"), { recursive: true });
      return undefined;
    },
  });
  const report = await lab.run({ apiUrl: server.url });
  expect(report.sent.parts).toBe(1);
  expect(report.problems).toMatchObject([
    { code: "LEDGER_COPY", message: expect.stringContaining("no second copy: ") },
  ]);
  await server.close();
  rmSync(copy, { recursive: true });
  // Nothing is new but that.
  expect(await lab.run({ apiUrl: server.url })).toMatchObject({ problems: [], sent: { parts: 0 } });
  expect(readFileSync(copy)).toEqual(readFileSync(lab.ledgerPaths.primary));
});

test("P66: when the lock's file is removed during a run, no further part is sent", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d", "e", "f"]) lab.session("main", id);
  const server = await startFaultServer({
    // Slower than confirmations are gathered for one write.
    default: { kind: "slow-read", bytes: 100, everyMs: 100 },
    script: () => {
      rmSync(join(lab.stateDir, "influxion", "uploads.lock.sqlite"), { force: true });
      return undefined;
    },
  });
  await expect(lab.run({ apiUrl: server.url, upload: { concurrency: 1 } })).rejects.toMatchObject({
    code: "LOCK_LOST",
  });
  await server.close();
  expect(server.requests).toHaveLength(1);
});

test("P8 P66: when somebody else touches the ledger during a run, no further part is sent", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d", "e", "f"]) lab.session("main", id);
  const { primary } = lab.ledgerPaths;
  let broken = false;
  const server = await startFaultServer({
    // Slower than confirmations are gathered for one write.
    default: { kind: "slow-read", bytes: 100, everyMs: 100 },
    script: () => {
      if (!broken) {
        broken = true;
        renameSync(primary, `${primary}-gone`);
        mkdirSync(join(primary, "in the way"), { recursive: true });
      }
      return undefined;
    },
  });
  await expect(lab.run({ apiUrl: server.url, upload: { concurrency: 1 } })).rejects.toMatchObject({
    code: "LEDGER_CHANGED",
    message: expect.stringContaining("another program has written the record"),
  });
  await server.close();
  expect(server.requests).toHaveLength(1);
});

test.for([
  ["a full disk", "ENOSPC", "the disk is full; free some space, uploads go on by themselves"],
  ["a spent quota", "EDQUOT", "the disk is full; free some space"],
  ["a read-only disk", "EROFS", "(EROFS); give the user that runs OpenClaw write access"],
  ["a read-only folder", "EACCES", "(EACCES); give the user that runs OpenClaw write access"],
] as const)(
  "P8: %s is named, with what to do, and the old ledger stays",
  async ([, code, words]) => {
    await using lab = await Lab.start();
    mkdirSync(lab.stateDir, { recursive: true });
    const path = join(lab.stateDir, "state.json");
    writeFileSync(path, "old");
    const failing = writeLedgerFile(path, "new", () => {
      throw Object.assign(new Error("no"), { code });
    });
    await expect(failing).rejects.toThrow(words);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(lab.stateDir)).toEqual(["state.json"]);
  },
);

test("P11: a clock that jumps neither forgets sessions at once nor keeps them for ever", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "gone");
  lab.session("main", "stays");
  await lab.run();
  renameSync(path, join(lab.dir, "kept"));
  // To and fro, and ever further back.
  for (let times = 1; times <= 2 * MISSING_TIMES; times++) {
    for (const offset of [0, 400, -times]) {
      lab.clockOffset = offset * 3 * MISSING_EVERY_MS;
      await lab.run();
      expect(await lab.record("main", "gone")).toBeDefined();
    }
  }
  for (let times = 1; times < MISSING_TIMES; times++) {
    lab.clockOffset += MISSING_EVERY_MS;
    await lab.run();
  }
  expect(await lab.record("main", "gone")).toBeUndefined();
});

test("P11: records of vanished sessions are pruned, after a day, and cause no upload", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "gone");
  lab.session("main", "stays");
  await lab.run();
  renameSync(path, join(lab.dir, "kept"));
  for (let times = 1; times <= MISSING_TIMES; times++) {
    expect(await lab.record("main", "gone")).toBeDefined();
    await lab.run();
    lab.clockOffset += MISSING_EVERY_MS;
  }
  expect(await lab.record("main", "gone")).toBeUndefined();
  expect(await lab.record("main", "stays")).toBeDefined();
  expect(lab.receiver.stats().parts).toBe(2);
});

test("P72: a session that comes back is as if it had never been away", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const away = join(lab.dir, "away");
  await lab.run();
  // Away for a moment, again and again, for days.
  for (let times = 0; times < 2 * MISSING_TIMES; times++) {
    renameSync(path, away);
    await lab.run();
    renameSync(away, path);
    await lab.run();
    lab.clockOffset += 2 * MISSING_EVERY_MS;
  }
  expect(await lab.record("main", "abc")).toBeDefined();
  expect(lab.receiver.stats().parts).toBe(1);
});

for (const [what, isEmpty] of [
  ["not there", false],
  ["an empty mount point", true],
] as const) {
  test(`P72: while the folder of all agents is ${what}, nothing is forgotten`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    lab.session("ops", "def");
    await lab.run();
    const agents = join(lab.stateDir, "agents");
    renameSync(agents, join(lab.dir, "away"));
    if (isEmpty) mkdirSync(join(agents, "main", "sessions"), { recursive: true });
    for (let times = 0; times < 2 * MISSING_TIMES; times++) {
      lab.clockOffset += 3 * MISSING_EVERY_MS;
      await lab.run();
    }
    rmSync(agents, { recursive: true, force: true });
    renameSync(join(lab.dir, "away"), agents);
    expect((await lab.run()).sent.parts).toBe(0);
    expect(lab.receiver.stats().parts).toBe(2);
  });
}

test("P72: a laptop that sleeps for weeks while a disk is not mounted forgets nothing", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const away = join(lab.dir, "away");
  await lab.run();
  renameSync(path, away);
  await lab.run();
  lab.clockOffset = 30 * 24 * 3_600_000;
  for (let runs = 0; runs < 2 * MISSING_TIMES; runs++) await lab.run();
  renameSync(away, path);
  expect((await lab.run()).sent.parts).toBe(0);
});

test("a session that was away for an hour is not sent again when it comes back", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  renameSync(path, join(lab.dir, "away"));
  await lab.run();
  lab.clockOffset = 1_800_000;
  await lab.run();
  lab.clockOffset = 3_600_000;
  copyFileSync(join(lab.dir, "away"), path);
  rest(path, 3600);
  expect((await lab.run()).sent.parts).toBe(0);
});

test("the ledger is private, and holds neither content nor key", async () => {
  await using lab = await Lab.start();
  const secret = "a sentinel of a conversation";
  lab.session("main", "abc", [...session("abc"), message(9, secret)]);
  await lab.run();
  const { primary, copy } = lab.ledgerPaths;
  for (const path of [primary, copy]) {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain(secret);
    expect(text).not.toContain(API_KEY);
  }
});

test("an idle run writes no ledger", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("main", "small", session("small", 1));
  await lab.run();
  await lab.run();
  const before = statSync(lab.ledgerPaths.primary).mtimeMs;
  chmodSync(lab.ledgerPaths.primary, 0o400);
  await lab.run();
  expect(statSync(lab.ledgerPaths.primary).mtimeMs).toBe(before);
});

test("another destination gets every session; the first one is not asked again", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  expect((await lab.run({ projectId: "another" })).sent.sessions).toBe(1);
  expect((await lab.run()).sent.sessions).toBe(0);
});
