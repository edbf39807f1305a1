import { readFileSync, truncateSync } from "node:fs";
import { expect, test } from "vitest";
import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../../src/protocol/limits.ts";
import { SETTLE_MS } from "../../src/stores/idle.ts";
import { MAX_SEARCH_BYTES } from "../../src/stores/jsonl/reader.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import {
  append,
  header,
  lines,
  message,
  rest,
  session,
  sessionPath,
  touch,
  write,
} from "../support/transcripts.ts";

const BIG_RUN = { upload: { maxBytesPerRun: 200_000_000 } };

const START = lines(session("abc"));

async function withFile(content: string | Buffer): Promise<{ lab: Lab; path: string }> {
  const lab = await Lab.start();
  return { lab, path: write(sessionPath(lab.stateDir, "main", "abc.jsonl"), content) };
}

/** The payloads of everything that was sent, and the report. */
async function sent(
  lab: Lab,
): Promise<{ payloads: unknown[]; report: Awaited<ReturnType<Lab["run"]>> }> {
  const server = await startFaultServer();
  const report = await lab.run({ apiUrl: server.url });
  await server.close();
  const payloads = server.requests.flatMap(({ lines: body = [] }) =>
    body.map((line) => JSON.parse(line).payload),
  );
  return { payloads, report };
}

test("P23: a torn last line is not sent; later it goes out once and whole", async () => {
  const whole = message(7, "the last words");
  const { lab, path } = await withFile(START + whole.slice(0, 40));
  await using _ = lab;
  expect((await lab.run()).sent.lines).toBe(5);
  expect((await lab.run()).sent.parts).toBe(0);
  expect((await lab.status()).out).toContain("1 with a last line still being written");
  append(path, `${whole.slice(40)}\n`);
  expect((await lab.run()).sent.lines).toBe(1);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("P24: a last line without newline in a file at rest, a whole JSON object, is sent, once", async () => {
  const { lab, path } = await withFile(START + message(7));
  await using _ = lab;
  touch(path);
  expect((await lab.run()).sent.lines).toBe(5);
  lab.clockOffset = SETTLE_MS + 1000;
  expect((await lab.run()).sent.lines).toBe(1);
  append(path, `\n${message(8)}\n`);
  expect((await lab.run()).sent.lines).toBe(1);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P25: a line above the cap is replaced by an omitted record, counted and visible; the rest goes on", async () => {
  const huge = message(5, "y".repeat(MAX_LINE_BYTES));
  const { lab } = await withFile(`${START}${huge}\n${message(6)}\n`);
  await using _ = lab;
  const { payloads, report } = await sent(lab);
  expect(payloads).toHaveLength(7);
  expect(payloads[5]).toEqual({
    omitted: { reason: "line-too-long", bytes: Buffer.byteLength(huge) },
  });
  expect(payloads[6]).toEqual(JSON.parse(message(6)));
  expect(report.lines.omitted).toBe(1);
  const { out } = await lab.sync();
  expect(out).toContain("1 line was too long; only its length was sent.");
  expect((await lab.status()).out).toContain("1 line too long to send");
});

test("P25: the longest line that fits is sent as it is", async () => {
  const frame = Buffer.byteLength(message(5, ""));
  const longest = message(5, "y".repeat(MAX_LINE_BYTES - 1 - frame));
  expect(Buffer.byteLength(`${longest}\n`)).toBe(MAX_LINE_BYTES);
  const { lab, path } = await withFile(`${START}${longest}\n`);
  await using _ = lab;
  const report = await lab.run(BIG_RUN);
  expect(report.lines.omitted).toBe(0);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("P26: a 64 MiB line costs its length in the request, not its content", async () => {
  const huge = Buffer.alloc(64 * 1024 * 1024, "z");
  const { lab } = await withFile(
    Buffer.concat([Buffer.from(START), huge, Buffer.from(`\n${message(6)}\n`)]),
  );
  await using _ = lab;
  const report = await lab.run();
  expect(report.sent.lines).toBe(7);
  expect(report.lines.omitted).toBe(1);
  expect(report.sent.wireBytes).toBeLessThan(2000);
});

test("P27: a multi-byte character on a chunk edge arrives byte-equal", async () => {
  // Lines of four-byte characters, shifted so that every read boundary falls into one somewhere.
  const entries = Array.from({ length: 40 }, (_, n) =>
    message(n, `${"a".repeat(n % 4)}${"🦉漢é".repeat(4000)}`),
  );
  const { lab, path } = await withFile(lines([header("abc"), ...entries]));
  await using _ = lab;
  await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("P28: bytes that are not UTF-8 are replaced, and counted", async () => {
  const bad = Buffer.concat([
    Buffer.from('{"type":"message","id":"b'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}\n'),
  ]);
  const { lab } = await withFile(
    Buffer.concat([Buffer.from(START), bad, Buffer.from(`${message(6)}\n`)]),
  );
  await using _ = lab;
  const { payloads, report } = await sent(lab);
  expect(payloads[5]).toEqual({ type: "message", id: "b\ufffd\ufffd" });
  expect(payloads[6]).toEqual(JSON.parse(message(6)));
  expect(report.lines.invalidUtf8).toBe(1);
});

test("P28: a NUL byte makes a line raw", async () => {
  const { lab } = await withFile(`${START}{"type":"a\u0000b"}\n`);
  await using _ = lab;
  const { payloads, report } = await sent(lab);
  expect(payloads[5]).toEqual({ raw: '{"type":"a\u0000b"}' });
  expect(report.lines.raw).toBe(1);
});

test("P28: a byte order mark is dropped", async () => {
  const { lab } = await withFile(`\ufeff${START}`);
  await using _ = lab;
  const { payloads } = await sent(lab);
  expect(payloads[0]).toEqual(JSON.parse(header("abc")));
});

test("P28: CRLF counts as one line end, and empty lines have no lineIndex", async () => {
  const { lab } = await withFile(START.replaceAll("\n", "\r\n\r\n"));
  await using _ = lab;
  const server = await startFaultServer();
  const report = await lab.run({ apiUrl: server.url });
  await server.close();
  const body = server.requests[0]?.lines?.map((line) => JSON.parse(line)) ?? [];
  expect(body.map(({ lineIndex }) => lineIndex)).toEqual([0, 1, 2, 3, 4]);
  expect(body.map(({ payload }) => `${JSON.stringify(payload)}\n`).join("")).toBe(START);
  expect(report.lines.blank).toBe(5);
});

test("P71: a session whose head a power failure left as zero bytes is sent, the rest of the line as raw", async () => {
  const rest = 'lo"}}\n';
  const { lab } = await withFile(Buffer.concat([Buffer.alloc(5000), Buffer.from(rest + START)]));
  await using _ = lab;
  const { payloads, report } = await sent(lab);
  expect(payloads).toEqual([
    { raw: `${"\u0000".repeat(5000)}${rest.trimEnd()}` },
    ...START.trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ]);
  expect(report).toMatchObject({ outcome: "done", lines: { raw: 1 } });
});

test("P71: where such a head is longer than any line that is sent, its length is told", async () => {
  const { lab, path } = await withFile("");
  await using _ = lab;
  truncateSync(path, 30_000_000);
  append(path, `\n${START}`);
  const { payloads, report } = await sent(lab);
  expect(payloads[0]).toEqual({ omitted: { reason: "line-too-long", bytes: 30_000_000 } });
  expect(payloads).toHaveLength(6);
  expect(report).toMatchObject({ outcome: "done", lines: { omitted: 1 } });
});

test("P71: a file of nothing but zero bytes is told as that, and is no failure", async () => {
  const { lab, path } = await withFile(Buffer.alloc(5000));
  await using _ = lab;
  lab.session("main", "other");
  const { code, out } = await lab.sync();
  expect([code, lab.receivedSessions()]).toEqual([0, ["main/other"]]);
  for (const text of [out, (await lab.status()).out]) {
    expect(text).toContain("abc.jsonl holds only zero bytes, as a power failure leaves them");
  }
  // What it was before makes a difference.
  write(path, START);
  await lab.run();
  write(path, Buffer.alloc(START.length));
  expect((await lab.sync()).code).toBe(2);
});

test("P33: a file of terabytes costs a run no more than a bounded look, and the next goes on", async () => {
  const { lab, path } = await withFile(START);
  await using _ = lab;
  lab.session("main", "other");
  truncateSync(path, 4 * 1024 ** 4);
  rest(path);
  const reached: (number | undefined)[] = [];
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    const report = await lab.run();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(report.left).toMatchObject({ sessions: 1 });
    reached.push((await lab.record("main", "abc"))?.streams["abc.jsonl"]?.searched?.to);
  }
  expect(lab.receivedSessions()).toEqual(["main/abc", "main/other"]);
  expect(lab.received("main", "abc")).toBe(START);
  // The first run has sent what lies before the line.
  const first = START.length + MAX_PART_BYTES + MAX_SEARCH_BYTES;
  expect(reached).toEqual([undefined, first, first + MAX_SEARCH_BYTES]);
  const { counts } = JSON.parse((await lab.status({ json: true })).out);
  expect(counts).toMatchObject({ found: 2, uploaded: 1, pending: 1 });
});

test("P33: what comes behind such a line is sent when its end is found", async () => {
  const { lab, path } = await withFile(START);
  await using _ = lab;
  truncateSync(path, MAX_PART_BYTES + 2 * MAX_SEARCH_BYTES);
  append(path, `\n${message(9)}\n`);
  for (let round = 0; round < 4; round++) await lab.run();
  expect((await lab.record("main", "abc"))?.streams["abc.jsonl"]?.position.lines).toBe(7);
});

test("P33: neither is a session forgotten that has too few messages before such a line", async () => {
  const { lab, path } = await withFile(lines([header("abc")]));
  await using _ = lab;
  truncateSync(path, MAX_PART_BYTES + 2 * MAX_SEARCH_BYTES);
  append(path, `\n${lines([message(1), message(2), message(3)])}`);
  for (let round = 0; round < 4; round++) await lab.run();
  expect((await lab.record("main", "abc"))?.streams["abc.jsonl"]?.position.lines).toBe(5);
});

test("P29: a line that is not JSON arrives as raw; it stops neither the run nor other sessions", async () => {
  const { lab } = await withFile(`${START}{"type":"message","id"\n[1,2]\n"text"\n${message(6)}\n`);
  await using _ = lab;
  lab.session("main", "other");
  const { payloads, report } = await sent(lab);
  const raw = payloads.filter((payload) => Object.keys(payload as object)[0] === "raw");
  expect(raw).toEqual([{ raw: '{"type":"message","id"' }, { raw: "[1,2]" }, { raw: '"text"' }]);
  expect(report).toMatchObject({ outcome: "done", sent: { sessions: 2 }, lines: { raw: 3 } });
});

test("P30: unknown entry types and unknown fields arrive untouched", async () => {
  const odd = '{"type":"from_the_future",  "n":12345678901234567890.10, "a":{"b":[1e400,-0]}}';
  const { lab, path } = await withFile(`${START}${odd}\n{"no":"type"}\n`);
  await using _ = lab;
  const report = await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect(report.lines.untyped).toBe(1);
});

test("P31: every attempt at a part has equal bytes and an equal key, also in a later run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ index }) => (index < 4 ? { kind: "status", status: 503 } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { retryAttempts: 2 } };
  await lab.run(overrides);
  lab.clockOffset = 3_600_000;
  await lab.run(overrides);
  await server.close();
  expect(server.requests).toHaveLength(5);
  expect(new Set(server.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  expect(new Set(server.requests.map(({ lines: body }) => body?.join("\n"))).size).toBe(1);
});

test("a session that grows while it is read is sent as it was when the run looked", async () => {
  const { lab, path } = await withFile(START);
  await using _ = lab;
  await lab.run({}, { events: { onPlan: () => append(path, `${message(8)}\n`) } });
  expect(lab.received("main", "abc")).toBe(START);
  await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test("a session cut off while it is read waits, and nothing of it is half delivered", async () => {
  await using lab = await Lab.start();
  const many = Array.from({ length: 3000 }, (_, n) => message(n, "w".repeat(900)));
  const path = lab.session("main", "abc", [header("abc"), ...many]);
  const { truncateSync } = await import("node:fs");
  const report = await lab.run({}, { events: { onBytes: () => truncateSync(path, 1000) } });
  expect(report.sent.lines).toBe(0);
  expect(lab.received("main", "abc")).toBe("");
  rest(path);
  await lab.run();
  expect(readFileSync(path, "utf8").startsWith(lab.received("main", "abc"))).toBe(true);
});

for (const coding of ["gzip", "zstd"]) {
  test(`in ${coding}, a short body goes with its length and a longer one in chunks, each whole`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "first");
    const server = await startFaultServer({ receiptHeaders: { "accept-encoding": coding } });
    await lab.run({ apiUrl: server.url });
    const short = lab.session("main", "short");
    const long = lab.session("main", "long", [...session("long"), message(1, "x".repeat(70_000))]);
    await lab.run({ apiUrl: server.url, upload: { concurrency: 1 } });
    await server.close();
    const bodies = server.requests.slice(1);
    const of = (id: string) => bodies.find(({ lines: body = [] }) => body[0]?.includes(`"${id}"`));
    expect(of("short")?.headers).toMatchObject({
      "content-encoding": coding,
      "content-length": String(of("short")?.wireBytes),
    });
    expect(of("long")?.headers).toMatchObject({
      "content-encoding": coding,
      "transfer-encoding": "chunked",
    });
    expect(payloadsOf(of("short")?.lines)).toBe(readFileSync(short, "utf8"));
    expect(payloadsOf(of("long")?.lines)).toBe(readFileSync(long, "utf8"));
  });
}

/** What a transcript had that was sent as these lines. */
function payloadsOf(body: readonly string[] = []): string {
  return body.map((line) => `${JSON.stringify(JSON.parse(line).payload)}\n`).join("");
}

test("the capture instant and the names are on every line", async () => {
  await using lab = await Lab.start();
  lab.session("ops", "topic-1");
  const server = await startFaultServer();
  await lab.run({ apiUrl: server.url });
  await server.close();
  const [request] = server.requests;
  expect(request?.headers).toMatchObject({
    "content-type": "application/x-ndjson",
    "content-encoding": "gzip",
    "content-length": String(request?.wireBytes),
  });
  expect(request?.headers["user-agent"]).toMatch(/^influxion-openclaw\/\d+\.\d+\.\d+ node\/\d+/);
  const body = request?.lines?.map((line) => JSON.parse(line)) ?? [];
  expect(new Set(body.map(({ capturedAt }) => capturedAt)).size).toBe(1);
  expect(body[0]).toMatchObject({
    deploymentId: "lab",
    projectId: "project",
    agentId: "ops",
    agentName: "ops",
    sessionId: "topic-1",
    sessionFile: "agents/ops/sessions/topic-1.jsonl",
    lineIndex: 0,
  });
});
