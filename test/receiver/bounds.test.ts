import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { MAX_PART_BYTES } from "../../src/protocol/limits.ts";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { maxBodyBytes, PART_LIMITS, type PartLimits } from "../../src/receiver/limits.ts";
import { wholeLines } from "../../src/receiver/lines.ts";
import { createBody } from "../../src/upload/body.ts";
import { EnvelopeWriter } from "../../src/upload/envelope.ts";
import { fileOf, receiverIn, receiverProcess, send, tempDir } from "./support.ts";
import { body, headersFor, line } from "./wire.ts";

async function grouped(
  chunks: Iterable<Buffer>,
  limits: Partial<PartLimits> = {},
): Promise<string[]> {
  const all: string[] = [];
  const blocks = wholeLines(Readable.from(chunks), { ...PART_LIMITS, ...limits });
  for await (const block of blocks) all.push(block.toString());
  return all;
}

test("whatever the chunks, blocks end at line ends and add up to the input", async () => {
  const chunk = fc.array(fc.constantFrom("\n", "a", "é", "😀", "bcd"), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk), fc.nat(3), async (parts, shift) => {
      const whole = Buffer.from(parts.flat().join(""));
      const size = shift + 1;
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
        whole.subarray(n * size, (n + 1) * size),
      );
      const blocks = await grouped(chunks);
      expect(blocks.join("")).toBe(whole.toString());
      for (const block of blocks.slice(0, -1)) expect(block.endsWith("\n")).toBe(true);
    }),
  );
});

test("a line of exactly the limit passes, one byte more does not", async () => {
  const chunks = ["ab", "c\nd", "efg\n"].map((text) => Buffer.from(text));
  expect(await grouped(chunks, { lineBytes: 4 })).toHaveLength(2);
  await expect(grouped(chunks, { lineBytes: 3 })).rejects.toMatchObject({
    code: "LINE_TOO_LONG",
    status: 413,
  });
});

test("a line above the limit is refused with 413 while it is still arriving", async () => {
  const receiver = await receiverIn(await tempDir(), { limits: { lineBytes: 100_000 } });
  const req = request(receiver.url + INGEST_PATH, {
    method: "POST",
    headers: { ...headersFor("k1"), "content-encoding": "identity" },
  });
  req.on("error", () => undefined);
  onTestFinished(() => {
    req.destroy();
  });
  req.write(line({ payload: `{"text":"${"x".repeat(200_000)}` }));
  const [response] = await once(req, "response");
  expect(response.statusCode).toBe(413);
  expect(response.headers.connection).toBe("close");
  const [text] = await once(response.setEncoding("utf8"), "data");
  expect(JSON.parse(text).error.code).toBe("LINE_TOO_LONG");
  expect((await send(receiver.url, "k2", body(0, 1))).status).toBe(200);
});

test("a body that decompresses to more than a part may be is refused and leaves nothing", async () => {
  const dir = await tempDir();
  const limits = { payloadBytes: 1_000_000, lines: 20_000 };
  const receiver = await receiverIn(dir, { limits });
  const bombs: [code: string, text: string][] = [
    ["PART_TOO_LARGE", body(0, 10_000, { agentId: "a".repeat(300) })],
    ["PART_TOO_LARGE", `${"x".repeat(1000)}\n`.repeat(10_000)],
    ["PART_TOO_LARGE", body(0, 1000, { payload: `{"text":"${"x".repeat(2000)}"}` })],
    ["TOO_MANY_LINES", "\n".repeat(1_000_000)],
    ["TOO_MANY_LINES", `${"{}\n".repeat(20_000)}{}`],
  ];
  for (const [code, text] of bombs) {
    const answer = await send(receiver.url, "k1", text);
    expect([answer.status, answer.json.error?.code]).toEqual([413, code]);
    expect(await readdir(join(dir, "staging"))).toEqual([]);
  }
  expect(receiver.sessions()).toEqual([]);
  expect((await send(receiver.url, "k1", body(0, 1))).status).toBe(200);
});

test("frames without content do not go on for ever", async () => {
  const receiver = await receiverIn(await tempDir(), {
    limits: { payloadBytes: 900_000, lines: 1 },
  });
  const skippable = Buffer.alloc(8 + 100_000);
  skippable.writeUInt32LE(0x184d2a50);
  skippable.writeUInt32LE(100_000, 4);
  const bytes = Buffer.concat(Array(20).fill(skippable));
  const answer = await send(receiver.url, "k1", bytes, { "content-encoding": "zstd" });
  expect([answer.status, answer.json.error.code]).toEqual([413, "PART_TOO_LARGE"]);
});

const UUID = "3f2c9e1a-0b4d-4c7e-9a55-1d2e3f4a5b6c";
const FIELDS = { deploymentId: UUID, projectId: UUID, agentId: "main", sessionId: UUID };
const CAPTURED_AT = "2026-01-01T00:00:00.000Z";

test.for<[source: string, payload: string]>([
  ["{}\n", "{}"],
  ["0\n", '{"raw":"0"}'],
  ["\u0001\n", '{"raw":"\\u0001"}'],
])("the most lines of %j that a part can have fit", ([source, payload]) => {
  const lines = MAX_PART_BYTES / source.length;
  const writer = new EnvelopeWriter({ ...FIELDS, capturedAt: CAPTURED_AT }, Math.floor(lines));
  writer.add(payload);
  expect(Math.ceil(lines)).toBeLessThanOrEqual(PART_LIMITS.lines);
  expect(lines * (payload.length + 1)).toBeLessThanOrEqual(PART_LIMITS.payloadBytes);
  const bodyBytes = lines * (writer.flush()?.bytes.length ?? Infinity);
  expect(bodyBytes).toBeLessThanOrEqual(maxBodyBytes(lines, PART_LIMITS));
});

test("a part of nothing but NUL bytes is taken, as large as the plugin sends it", async () => {
  const receiver = await receiverIn(await tempDir());
  const source = Buffer.concat([Buffer.alloc(MAX_PART_BYTES - 1), Buffer.from("\n")]);
  await using sent = createBody({
    lines: Readable.from([source]),
    fields: { ...FIELDS, capturedAt: CAPTURED_AT },
    firstLine: 0,
    coding: "gzip",
  });
  const answer = await send(receiver.url, "k1", await buffer(sent.chunks));
  expect(answer.json).toMatchObject({ accepted: 1, rejected: 0 });
  expect(receiver.sessions()[0]?.bytes).toBe(6 * (MAX_PART_BYTES - 1) + '{"raw":""}\n'.length);
});

test("a line of 8 MiB is taken", async () => {
  const receiver = await receiverIn(await tempDir());
  const payload = `{"text":"${"x".repeat(8 * 1024 * 1024)}"}`;
  expect((await send(receiver.url, "k1", line({ payload }))).json.accepted).toBe(1);
  expect(await fileOf(receiver)).toBe(`${payload}\n`);
});

const encoders = {
  gzip: () => createGzip({ level: 1 }),
  zstd: () => createZstdCompress(),
};

test.for(["gzip", "zstd"] as const)(
  "memory stays far below the size of a body in %s",
  {
    timeout: 60_000,
  },
  async (coding) => {
    const dir = await tempDir();
    const { child, url } = await receiverProcess(dir);
    await send(url, "warm", body(0, 10, { sessionId: "warm" }));
    const before = await peak(child);

    const payload = `{"text":"${"x".repeat(240)}"}`;
    const lines = 300_000;
    async function* generate() {
      for (let from = 0; from < lines; from += 100) yield body(from, from + 100, { payload });
    }
    const headers = { ...headersFor("big"), "content-encoding": coding };
    const req = request(url + INGEST_PATH, { method: "POST", headers });
    const answered = once(req, "response");
    await pipeline(generate, encoders[coding](), req);
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    response.resume();
    expect((await stat(join(dir, "sessions/main/s1.jsonl"))).size).toBe(
      lines * (payload.length + 1),
    );
    expect((await peak(child)) - before).toBeLessThan(100e6);
  },
);

async function peak(child: ChildProcess): Promise<number> {
  child.send("peak");
  const [{ peakBytes }] = await once(child, "message");
  return peakBytes;
}
