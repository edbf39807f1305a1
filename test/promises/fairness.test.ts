import { readFileSync, truncateSync } from "node:fs";
import { expect, test } from "vitest";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { header, message, rest, session } from "../support/transcripts.ts";

/** A session of about `kilobytes`. */
const sized = (id: string, kilobytes: number): string[] => [
  header(id),
  ...Array.from({ length: kilobytes }, (_, n) => message(n, "f".repeat(880))),
];

test("P33: one giant session does not keep small ones waiting beyond the run's budget", async () => {
  await using lab = await Lab.start();
  const giant = lab.session("main", "a-giant", sized("a-giant", 3000));
  rest(giant, 3600);
  for (let n = 0; n < 20; n++) lab.session("main", `small-${n}`);
  const report = await lab.run({ upload: { maxBytesPerRun: 500_000 } });
  expect(lab.receivedSessions()).toHaveLength(21);
  expect(report.sent.sourceBytes).toBeLessThanOrEqual(500_000);
  expect(report.left.sessions).toBe(1);
});

test("P34: one poisoned session does not stop the others and is re-tried at a slow rate, with its reason shown", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a-poison", sized("a-poison", 2));
  for (const id of ["b", "c"]) lab.session("main", id);
  const poison = { kind: "status", status: 422, body: "no" } as const;
  let poisoned: string | undefined;
  const server = await startFaultServer({
    script: ({ index, idempotencyKey }) => {
      if (index === 0) poisoned = idempotencyKey;
      return idempotencyKey === poisoned ? poison : undefined;
    },
  });
  const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
  const report = await lab.run(overrides);
  expect(report).toMatchObject({ outcome: "partial", sent: { sessions: 2 }, failed: 1 });
  const times = (): number =>
    server.requests.filter((request) => request.idempotencyKey === poisoned).length;
  await lab.run(overrides);
  expect(times()).toBe(1);
  const { out } = await lab.status({ overrides });
  expect(out).toMatch(/failing {5}1\n/);
  expect(out).toMatch(/main\/\S+: answered 422: .*; tried again in 1 h/);
  lab.clockOffset = 3_700_000;
  await lab.run(overrides);
  expect(times()).toBe(2);
  lab.clockOffset += 3_700_000;
  await lab.run(overrides);
  expect(times()).toBe(2);
  await server.close();
});

test("P35: sessions that change all the time do not starve the others under maxFilesPerRun", async () => {
  await using lab = await Lab.start();
  const busy = ["a", "b", "c"].map((id) => lab.session("main", `busy-${id}`));
  const quiet = ["x", "y", "z"].map((id) => lab.session("main", `quiet-${id}`));
  for (let run = 0; run < 4; run++) {
    await lab.run({ upload: { maxFilesPerRun: 2 } });
    for (const path of busy) {
      lab.append(path, [message(100 + run)]);
      // Older than the quiet ones, so that only the turns taken so far can tell them apart.
      rest(path, 3600);
    }
  }
  for (const [index, id] of ["x", "y", "z"].entries()) {
    expect(lab.received("main", `quiet-${id}`)).toBe(readFileSync(quiet[index] ?? "", "utf8"));
  }
});

test("P35: nor does a clock that was days ahead when a session was served", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "served-ahead");
  lab.clockOffset = 3 * 24 * 3_600_000;
  await lab.run();
  lab.clockOffset = 0;
  const others = ["b", "c", "d"].map((id) => lab.session("main", id));
  lab.append(path, [message(100)]);
  const upload = { maxFilesPerRun: 1 };
  for (let runs = 0; runs < 4; runs++) {
    await lab.run({ upload });
    for (const other of others) lab.append(other, [message(200 + runs)]);
  }
  expect(lab.received("main", "served-ahead")).toBe(readFileSync(path, "utf8"));
});

test("P36: maxBytesPerRun is never exceeded", async () => {
  await using lab = await Lab.start();
  const paths = ["a", "b", "c"].map((id) => lab.session("main", id, sized(id, 100)));
  const reports = [];
  do {
    reports.push(await lab.run({ upload: { maxBytesPerRun: 64_000 } }));
  } while ((reports.at(-1)?.sent.parts ?? 0) > 0);
  for (const report of reports) expect(report.sent.sourceBytes).toBeLessThanOrEqual(64_000);
  expect(reports.length).toBeGreaterThan(4);
  for (const [index, id] of ["a", "b", "c"].entries()) {
    expect(lab.received("main", id)).toBe(readFileSync(paths[index] ?? "", "utf8"));
  }
});

test("P36: one single entry larger than maxBytesPerRun still gets through, alone", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [...session("abc"), message(7, "g".repeat(50_000))]);
  lab.session("main", "other");
  const overrides = { upload: { maxBytesPerRun: 10_000 } };
  const reports = [];
  for (let run = 0; run < 4; run++) reports.push(await lab.run(overrides));
  const large = reports.filter((report) => report.sent.sourceBytes > 10_000);
  expect(large.map(({ sent }) => sent.lines)).toEqual([1]);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("P32-P36: a session that always fails, one that always changes, one of 5 GB and ten thousand small ones, together", async () => {
  await using lab = await Lab.start();
  const SMALL = 10_000;
  for (let n = 0; n < SMALL; n++) lab.session("main", `small-${n}`);
  const failing = lab.session("main", "a-failing");
  const busy = lab.session("main", "b-busy");
  const giant = lab.session("main", "c-giant", sized("c-giant", 20_000));
  // Its end is a hole in the file: a line of 5 GB that is not finished.
  truncateSync(giant, 5_000_000_000);
  for (const path of [failing, busy, giant]) rest(path, 3600);
  const bad = new Set<string>();
  const server = await startFaultServer({
    script: ({ index, idempotencyKey }) => {
      // The oldest is asked for first.
      if (index < 1) bad.add(idempotencyKey);
      return bad.has(idempotencyKey) ? { kind: "status", status: 422 } : undefined;
    },
  });
  const overrides = { apiUrl: server.url, upload: { maxFilesPerRun: 2500, concurrency: 2 } };
  let waiting = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 6; run++) {
    const report = await lab.run(overrides);
    expect(report.sent.sourceBytes).toBeLessThanOrEqual(10_485_760);
    expect(report.left.sessions).toBeLessThan(waiting);
    waiting = Math.max(report.left.sessions, 3);
    lab.append(busy, [message(100 + run)]);
    rest(busy, 3600);
  }
  const { counts, failing: listed } = JSON.parse((await lab.status({ overrides, json: true })).out);
  await server.close();
  expect(counts).toMatchObject({ found: SMALL + 3, failing: 1 });
  expect(counts.uploaded).toBeGreaterThanOrEqual(SMALL);
  expect(listed[0].reason).toContain("answered 422");
  expect(bad.size).toBe(1);
}, 240_000);

test("P37: a slow server makes reading pause", async () => {
  await using lab = await Lab.start();
  // Random enough not to compress: more than the sockets' buffers hold.
  const { randomBytes } = await import("node:crypto");
  const noise = Array.from({ length: 70 }, (_, n) =>
    message(n, randomBytes(75_000).toString("base64")),
  );
  lab.session("main", "abc", [header("abc"), ...noise]);
  const server = await startFaultServer({ default: { kind: "stop-reading", afterBytes: 1000 } });
  let handed = 0;
  const report = await lab.run(
    { apiUrl: server.url, upload: { timeoutMs: 700 } },
    {
      events: {
        onBytes: (bytes) => {
          handed += bytes;
        },
      },
    },
  );
  await server.close();
  expect(report.outcome).toBe("unreachable");
  expect(report.reason).toContain("IDLE_TIMEOUT");
  expect(handed).toBeLessThan(5_000_000);
});

test("P39: no more compressors run at once than leave half of the thread pool to the host", async () => {
  await using lab = await Lab.start();
  for (let n = 0; n < 8; n++) lab.session("main", `s${n}`);
  let open = 0;
  let most = 0;
  const server = await startFaultServer({
    script: () => {
      open++;
      most = Math.max(most, open);
      setTimeout(() => open--, 90);
      return { kind: "slow-read", bytes: 100_000, everyMs: 100 };
    },
  });
  await lab.run({ apiUrl: server.url, upload: { concurrency: 8 } });
  await server.close();
  expect(most).toBe(2);
});

test("parts of one session go in order, at most 8 MiB each", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", sized("abc", 18_000));
  const server = await startFaultServer();
  await lab.run({ apiUrl: server.url, upload: { maxBytesPerRun: 100_000_000, concurrency: 8 } });
  await server.close();
  const ranges = server.requests.map(({ lines = [] }) => [
    JSON.parse(lines[0] ?? "").lineIndex,
    JSON.parse(lines.at(-1) ?? "").lineIndex,
  ]);
  expect(ranges).toHaveLength(3);
  expect(ranges[1]?.[0]).toBe((ranges[0]?.[1] ?? 0) + 1);
  expect(ranges[2]?.[0]).toBe((ranges[1]?.[1] ?? 0) + 1);
  expect(ranges[2]?.[1]).toBe(18_000);
});

test("minMessages counts messages, not lines, and is decided again when a session grows", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [
    ...session("abc", 1),
    '{"type":"custom"}',
    '{"type":"custom"}',
  ]);
  const overrides = { filter: { minBytes: 0 } };
  expect((await lab.run(overrides)).sent.parts).toBe(0);
  expect((await lab.status({ overrides })).out).toContain("filter.minMessages: 1");
  lab.append(path, [message(5)]);
  await lab.run(overrides);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("a filter that is loosened lets through what it had held back", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", session("abc", 1));
  expect((await lab.run({ filter: { minBytes: 0 } })).sent.parts).toBe(0);
  expect((await lab.run({ filter: { minBytes: 0, minMessages: 1 } })).sent.sessions).toBe(1);
});
