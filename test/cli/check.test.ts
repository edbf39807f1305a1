import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { takeLock } from "../../src/ledger/lock.ts";
import { InfluxionError } from "../../src/shared/problem.ts";
import { checksOf } from "../support/checks.ts";
import { API_KEY, Lab, type Spoken } from "../support/lab.ts";
import { snapshot } from "../support/snapshot.ts";

const running = () => Promise.resolve({ kind: "ready", at: "127.0.0.1:18789" } as const);

test("an installation that can deliver has no failure, and ends with 0", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out } = await lab.check({ gateway: running });
  expect(out).toMatch(/✓ credentials {2}the API takes this key for project project$/m);
  expect(out).toMatch(/✓ filters {6}1 session to send, [\d.]+ kB$/m);
  expect(out).toMatch(/✓ lock {9}free$/m);
  expect(out).toMatch(/✓ Gateway {6}runs at 127\.0\.0\.1:18789; no run yet$/m);
  expect(out).toContain("\nThis installation can deliver.\n");
  expect(code).toBe(0);
});

test("P99: a check uploads nothing and changes no file, whatever it finds", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  lab.session("main", "new");
  writeFileSync(lab.ledgerPaths.copy, "damaged");
  const before = snapshot(lab.dir);
  const { parts } = lab.receiver.stats();
  await lab.check();
  await lab.check({ json: true, overrides: { apiUrl: "http://127.0.0.1:9" } });
  await lab.check({ input: {} });
  expect(snapshot(lab.dir)).toEqual(before);
  expect(lab.receiver.stats().parts).toBe(parts);
});

test("a config that is not complete fails, and what hangs on it is not checked", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out } = await lab.check({ input: { apiKey: API_KEY, deploymentId: "d" } });
  expect(out).toMatch(/✗ config {7}found nothing at projectId; expected the project's id/);
  expect(out).toContain('"openclaw influxion setup"');
  expect(out).toMatch(/- the others {3}not checked before the config is right$/m);
  expect(code).toBe(1);
});

test("a reference that leads to nothing fails, and the API is not asked", async () => {
  await using lab = await Lab.start();
  const secrets = () =>
    Promise.reject(new InfluxionError("API_KEY_UNRESOLVED", "apiKey leads to nothing"));
  const spoken = await lab.check({ secrets, json: true });
  expect(checksOf(spoken)).toMatchObject({
    secrets: { verdict: "failed", message: "apiKey leads to nothing" },
    credentials: { verdict: "skipped", because: "config" },
    lock: { verdict: "ok" },
  });
  expect(spoken.code).toBe(1);
});

test("a state directory that is not there, or is none, fails with what to do", async () => {
  await using lab = await Lab.start();
  rmSync(lab.stateDir, { recursive: true, force: true });
  const missing = await lab.check({ json: true });
  expect(checksOf(missing).state).toMatchObject({ verdict: "failed", code: "ENOENT" });
  expect(checksOf(missing).state?.message).toContain("OPENCLAW_STATE_DIR");
  expect(missing.code).toBe(1);
  writeFileSync(lab.stateDir, "");
  expect(checksOf(await lab.check({ json: true })).state).toMatchObject({ code: "ENOTDIR" });
});

/** `check --offline` by somebody without root's right to write everywhere. */
async function checkAsNobody(stateDir: string): Promise<Spoken> {
  const program = new URL("../support/check-child.ts", import.meta.url).pathname;
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawnSync(process.execPath, [program, stateDir], { ...nobody, encoding: "utf8" });
  return { code: child.status ?? -1, out: child.stdout, err: child.stderr };
}

// Windows has no such permissions.
test.skipIf(process.platform === "win32")(
  "a state directory, or a ledger, that this user cannot write fails with what to do",
  async () => {
    await using lab = await Lab.start();
    const path = lab.session("main", "abc");
    chmodSync(lab.dir, 0o755);
    for (let dir = dirname(path); dir !== lab.dir; dir = dirname(dir)) chmodSync(dir, 0o755);
    const fresh = await checkAsNobody(lab.stateDir);
    expect(checksOf(fresh).state).toMatchObject({ verdict: "failed", code: "EACCES" });
    expect(fresh.code).toBe(1);
    await lab.sync();
    const own = dirname(lab.ledgerPaths.primary);
    chmodSync(own, 0o555);
    for (const name of readdirSync(own)) chmodSync(join(own, name), 0o444);
    const written = await checkAsNobody(lab.stateDir);
    expect(checksOf(written)).toMatchObject({
      state: { verdict: "ok" },
      ledger: { verdict: "failed", reason: expect.stringContaining("cannot be written") },
    });
    expect(written.code).toBe(1);
  },
);

test("a ledger that cannot be read fails, a damaged one is a warning", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  const { primary, copy } = lab.ledgerPaths;
  writeFileSync(primary, "damaged");
  const damaged = await lab.check({ json: true });
  expect(checksOf(damaged).ledger).toMatchObject({ verdict: "warning" });
  expect(damaged.code).toBe(0);
  rmSync(copy);
  mkdirSync(copy);
  const unreadable = await lab.check({ json: true });
  expect(checksOf(unreadable)).toMatchObject({
    ledger: { verdict: "failed" },
    stores: { verdict: "skipped", because: "ledger" },
    credentials: { verdict: "ok" },
  });
  expect(unreadable.code).toBe(1);
});

test("who holds the lock is named, and a lock that is held for hours is a warning", async () => {
  await using lab = await Lab.start();
  const { stateDir } = lab;
  const signal = new AbortController().signal;
  await using _lock = await takeLock({ stateDir, role: "gateway", waitMs: 0, signal });
  const { out } = await lab.check();
  expect(out).toMatch(new RegExp(`✓ lock +.*pid ${process.pid}`));
  lab.clockOffset = 2 * 3_600_000;
  expect(checksOf(await lab.check({ json: true })).lock).toMatchObject({ verdict: "warning" });
});

test("a pattern that matches nothing is a warning, and so are filters that leave out everything", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const unmatched = await lab.check({ overrides: { filter: { sessions: { deny: ["tpm-*"] } } } });
  expect(unmatched.out).toMatch(/! filters +filter\.sessions\.deny: "tpm-\*" matches no session/);
  const none = await lab.check({ overrides: { filter: { agents: { deny: ["main"] } } } });
  expect(none.out).toMatch(/! filters +they leave out all 1 session; see filter/);
  expect([unmatched.code, none.code]).toEqual([0, 0]);
});

test("an agent that cannot be read is named", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const folder = dirname(lab.session("other", "x"));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "no folder");
  const { out } = await lab.check();
  expect(out).toMatch(/! stores +2 agents, 1 session; other: /);
});

test("a Gateway that does not run is a warning, one that cannot be looked at is unknown", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  expect((await lab.check()).out).toMatch(/! Gateway {6}none answers at 127\.0\.0\.1:1 on this/);
  const gateway = () => Promise.resolve({ kind: "unknown", reason: "it is elsewhere" } as const);
  const { out, code } = await lab.check({ gateway });
  expect(out).toMatch(/\? Gateway {6}not known: it is elsewhere$/m);
  expect(code).toBe(0);
});

test("a Gateway whose last run did not get through, or is late, is a warning", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.serve({ apiUrl: "http://127.0.0.1:9" });
  const failing = await lab.check({ gateway: running });
  expect(failing.out).toMatch(/! Gateway +runs at .*which did not\n? */);
  await lab.serve();
  expect((await lab.check({ gateway: running })).out).toMatch(/✓ Gateway/);
  lab.clockOffset = 10 * 60_000;
  expect((await lab.check({ gateway: running })).out).toMatch(/! Gateway +.* but a run was due/);
});

test("--offline asks nobody, and says so", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  let asked = 0;
  const gateway = () => {
    asked++;
    return running();
  };
  const spoken = await lab.check({ offline: true, json: true, gateway });
  const { credentials, gateway: found, dns } = checksOf(spoken);
  for (const check of [credentials, found, dns]) {
    expect(check).toMatchObject({ verdict: "skipped", because: "offline" });
  }
  expect(asked).toBe(0);
  expect(spoken.code).toBe(0);
});

test("a check that is interrupted ends with 130 and one document", async () => {
  await using lab = await Lab.start();
  const signal = AbortSignal.abort(new Error("interrupted"));
  const { code, out } = await lab.check({ json: true, signal });
  expect(JSON.parse(out)).toEqual({ outcome: "interrupted", exitCode: 130 });
  expect(code).toBe(130);
});

test("each line fits into a terminal of 80 columns", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { out } = await lab.check({ overrides: { apiUrl: "http://127.0.0.1:9" }, columns: 80 });
  expect(out).toContain("\n                 ");
  for (const line of out.split("\n")) {
    expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(80);
  }
});
