import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { LedgerData } from "../../src/ledger/schema.ts";
import { type Behaviour, type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { header, message, rest } from "../support/transcripts.ts";

const HOUR = 3_600_000;

/** Entries of about `bytes` in all. */
const sized = (id: string, bytes: number): string[] => [
  header(id),
  ...Array.from({ length: Math.ceil(bytes / 1000) }, (_, n) => message(n, "x".repeat(900))),
];

/** The session that a key was written down for, before anything was sent under it. */
function sessionOf(lab: Lab, key: string): string | undefined {
  const { targets } = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8")) as LedgerData;
  for (const { sessions } of Object.values(targets)) {
    for (const [name, { streams }] of Object.entries(sessions)) {
      const parts = Object.values(streams).flatMap((stream) => stream.parts ?? []);
      if (parts.some(({ idempotencyKey }) => idempotencyKey === key)) return name;
    }
  }
  return undefined;
}

/** Treats every request of some sessions in this way, and takes all others. */
async function treating(
  lab: Lab,
  sessions: readonly string[],
  behaviour: Behaviour,
): Promise<{ server: FaultServer; asked: Record<string, number> }> {
  const asked: Record<string, number> = {};
  const server = await startFaultServer({
    script: ({ idempotencyKey }) => {
      const session = sessionOf(lab, idempotencyKey) ?? "?";
      asked[session] = (asked[session] ?? 0) + 1;
      return sessions.includes(session) ? behaviour : undefined;
    },
  });
  return { server, asked };
}

const DOWN: Behaviour = { kind: "status", status: 500 };

test("P34: three sessions that the API always fails on do not keep the others from arriving", async () => {
  await using lab = await Lab.start();
  const bad = ["a", "b", "c"];
  const good = ["d", "e", "f", "g", "h"];
  // The bad ones have waited longest.
  for (const id of bad) rest(lab.session("main", id), 9999);
  for (const id of good) lab.session("main", id);
  const { server, asked } = await treating(
    lab,
    bad.map((id) => `main/${id}`),
    DOWN,
  );
  const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
  let arrived = 0;
  for (let run = 0; run < 2; run++) {
    arrived += (await lab.run(overrides)).sent.sessions;
    lab.clockOffset += HOUR / 4;
  }
  expect(arrived).toBe(good.length);
  for (const id of good) expect(asked[`main/${id}`]).toBe(1);
  await server.close();
});

test("P34: a session that the API fails on again and again, and takes others meanwhile, is put aside with the reason", async () => {
  await using lab = await Lab.start();
  lab.session("main", "bad");
  const good = lab.session("main", "good");
  const { server, asked } = await treating(lab, ["main/bad"], DOWN);
  const overrides = { apiUrl: server.url };
  for (let run = 0; run < 4; run++) {
    await lab.run(overrides);
    lab.append(good, [message(10 + run)]);
  }
  const times = asked["main/bad"];
  const { counts, failing } = JSON.parse((await lab.status({ overrides, json: true })).out);
  expect(counts).toMatchObject({ found: 2, failing: 1 });
  expect(failing[0]).toMatchObject({ sessionId: "bad", reason: "answered 500" });
  await lab.run(overrides);
  expect(asked["main/bad"]).toBe(times);
  lab.clockOffset = 1.1 * HOUR;
  await lab.run(overrides);
  expect(asked["main/bad"]).toBe((times ?? 0) + 1);
  await server.close();
});

test("P43: while the API is down for all, nothing is put aside, and everything arrives when it is back", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d", "e"]) lab.session("main", id);
  let down = true;
  const server = await startFaultServer({ script: () => (down ? DOWN : undefined) });
  const overrides = { apiUrl: server.url };
  for (let run = 0; run < 8; run++) {
    expect(await lab.run(overrides)).toMatchObject({ outcome: "unreachable", failed: 0 });
  }
  down = false;
  expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 5 } });
  await server.close();
});

test("P35: a run that ends early gives the sessions it did not come to their place in the queue back", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c"]) lab.session("main", id);
  const server = await startFaultServer({ default: { kind: "status", status: 401 } });
  const upload = { concurrency: 1 };
  expect((await lab.run({ apiUrl: server.url, upload })).outcome).toBe("refused");
  await server.close();
  expect(server.requests).toHaveLength(1);

  const { targets } = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8")) as LedgerData;
  const records = Object.values(targets).flatMap(({ sessions }) => Object.values(sessions));
  const others = records.filter(({ servedAt }) => servedAt === undefined);
  expect(others.map(({ tries }) => tries)).toEqual([undefined, undefined]);
});

test("P33: a giant session that the API always fails on does not use up the budget of small ones", async () => {
  await using lab = await Lab.start();
  lab.session("main", "giant", sized("giant", 3_000_000));
  const { server } = await treating(lab, ["main/giant"], DOWN);
  const overrides = { apiUrl: server.url, upload: { maxBytesPerRun: 500_000 } };
  await lab.run(overrides);
  for (const id of ["a", "b", "c", "d", "e"]) lab.session("main", id);
  await lab.run(overrides);
  const report = await lab.run(overrides);
  expect(report.sent.sourceBytes).toBeLessThanOrEqual(500_000);
  for (const id of ["a", "b", "c", "d", "e"]) {
    expect((await lab.sync({ overrides, dryRun: true })).out).not.toContain(`main/${id} `);
  }
  await server.close();
});

test("P36: what an earlier run had planned keeps to the limit of today, part by part and as it was", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", sized("abc", 20_000_000));
  let down = true;
  const server = await startFaultServer({ script: () => (down ? DOWN : undefined) });
  const config = (maxBytesPerRun: number): Record<string, unknown> => ({
    apiUrl: server.url,
    upload: { maxBytesPerRun },
  });
  await lab.run(config(20_000_000));
  down = false;
  const sent = [];
  for (let run = 0; run < 2; run++) {
    const report = await lab.run(config(9_000_000));
    expect(report.sent.parts).toBe(1);
    sent.push(report.sent.sourceBytes);
  }
  expect(Math.max(...sent)).toBeLessThanOrEqual(9_000_000);
  await server.close();
});

test("P41: a Retry-After above five minutes ends the run, and the interval sends nothing until then", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) =>
      index === 0 ? { kind: "status", status: 429, headers: { "retry-after": "3600" } } : undefined,
  });
  const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
  expect((await lab.run(overrides)).outcome).toBe("unreachable");
  expect(server.requests).toHaveLength(1);
  lab.clockOffset = 0.9 * HOUR;
  expect((await lab.run(overrides)).reason).toContain("asked not to be called before");
  expect(server.requests).toHaveLength(1);
  lab.clockOffset = 1.1 * HOUR;
  expect((await lab.run(overrides)).sent.sessions).toBe(4);
  await server.close();
});

test("P41: a Retry-After holds back the sessions behind, also when there are no retries", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) =>
      index === 0 ? { kind: "status", status: 429, headers: { "retry-after": "1" } } : undefined,
  });
  await lab.run({ apiUrl: server.url, upload: { concurrency: 1, retryAttempts: 0 } });
  const [first, second] = server.requests;
  expect((second?.startedAt ?? 0) - (first?.completedAt ?? 0)).toBeGreaterThanOrEqual(990);
  await server.close();
});

test("P34: a session that is too large whatever its size does not make the parts of others small", async () => {
  await using lab = await Lab.start();
  lab.session("main", "bad", sized("bad", 100_000));
  const { server, asked } = await treating(lab, ["main/bad"], { kind: "status", status: 413 });
  const overrides = { apiUrl: server.url };
  await lab.run(overrides);
  lab.session("main", "good", sized("good", 300_000));
  await lab.run(overrides);
  expect(asked["main/good"]).toBe(1);
  await server.close();
});

test("P53: a wait that was asked for while the clock was years ahead holds nothing back", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  const server = await startFaultServer({
    script: ({ index }) =>
      index === 0 ? { kind: "status", status: 429, headers: { "retry-after": "3600" } } : undefined,
  });
  const overrides = { apiUrl: server.url };
  lab.clockOffset = 87_600 * HOUR;
  expect((await lab.run(overrides)).outcome).toBe("unreachable");
  lab.clockOffset = 0;
  expect((await lab.run(overrides)).sent.sessions).toBe(1);
  await server.close();
});

test("P53: a session that was put aside while the clock was years ahead is tried again", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 422 } : undefined),
  });
  const overrides = { apiUrl: server.url };
  lab.clockOffset = 87_600 * HOUR;
  expect(await lab.run(overrides)).toMatchObject({ failed: 1 });
  lab.clockOffset = 0;
  expect((await lab.run(overrides)).sent.sessions).toBe(1);
  await server.close();
});

test("P42: a sync lifts a refusal also when it has nothing to send", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  let refuse = false;
  const server = await startFaultServer({
    script: () => (refuse ? { kind: "status", status: 401 } : undefined),
  });
  const overrides = { apiUrl: server.url };
  await lab.run(overrides);
  const path = lab.session("main", "b");
  refuse = true;
  expect((await lab.run(overrides)).outcome).toBe("refused");
  refuse = false;
  expect((await lab.run(overrides)).outcome).toBe("refused");
  const agents = { deny: ["main"] };
  await lab.sync({ overrides: { ...overrides, filter: { agents } } });
  rest(path, 30);
  expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
  await server.close();
});

test("P61: what was delivered, left out or put aside is not told to be waiting", async () => {
  await using lab = await Lab.start();
  lab.session("main", "long", [
    header("long"),
    message(0),
    message(1, "y".repeat(9_000_000)),
    message(2),
  ]);
  lab.session("main", "bad");
  const { server } = await treating(lab, ["main/bad"], { kind: "status", status: 422 });
  const report = await lab.run({ apiUrl: server.url });
  expect(report).toMatchObject({
    sent: { lines: 4 },
    lines: { omitted: 1 },
    failed: 1,
    left: { sessions: 0, bytes: 0 },
  });
  await server.close();
});
