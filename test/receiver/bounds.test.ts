import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { wholeLines } from "../../src/receiver/lines.ts";
import { INGEST_PATH } from "../../src/wire.ts";
import { fileOf, receiverIn, receiverProcess, send, tempDir } from "./support.ts";
import { body, headersFor, line } from "./wire.ts";

async function grouped(chunks: Iterable<Buffer>, max: number): Promise<string[]> {
  const all: string[] = [];
  for await (const block of wholeLines(Readable.from(chunks), max)) all.push(block.toString());
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
      const blocks = await grouped(chunks, 1000);
      expect(blocks.join("")).toBe(whole.toString());
      for (const block of blocks.slice(0, -1)) expect(block.endsWith("\n")).toBe(true);
    }),
  );
});

test("a line of exactly the limit passes, one byte more does not", async () => {
  const chunks = ["ab", "c\nd", "efg\n"].map((text) => Buffer.from(text));
  expect(await grouped(chunks, 4)).toHaveLength(2);
  await expect(grouped(chunks, 3)).rejects.toMatchObject({ code: "LINE_TOO_LONG", status: 413 });
});

test("a line above the limit is refused with 413 while it is still arriving", async () => {
  const receiver = await receiverIn(await tempDir(), { maxLineBytes: 100_000 });
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
  "memory stays flat whatever the size of a body in %s",
  {
    timeout: 60_000,
  },
  async (coding) => {
    const dir = await tempDir();
    const { child, url } = await receiverProcess(dir);
    await send(url, "warm", body(0, 10, { sessionId: "warm" }));
    const before = await peak(child);

    const payload = `{"text":"${"x".repeat(1000)}"}`;
    const lines = 200_000;
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
