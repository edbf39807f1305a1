import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import type { RunReport } from "../../src/run/report.ts";
import { Lab } from "../support/lab.ts";

const RECEIPT = Buffer.from('{"accepted":5,"rejected":0,"batchId":"b"}');
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** One run of one session of five lines against an API that answers with these bytes; and what it was asked. */
async function answered(
  body: Buffer,
  contentEncoding?: string,
): Promise<{ report: RunReport; asked: string | undefined; sent: string }> {
  const seen: { asked: string | undefined; sent: string }[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const sent = gunzipSync(Buffer.concat(chunks)).toString();
    seen.push({ asked: req.headers["accept-encoding"], sent });
    const headers = contentEncoding === undefined ? {} : { "content-encoding": contentEncoding };
    res.writeHead(200, { "content-type": "application/json", ...headers }).end(body);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await lab.run({ apiUrl });
  return { report, asked: seen[0]?.asked, sent: seen[0]?.sent ?? "" };
}

test("P1: no coding is asked for in an answer", async () => {
  const { asked, sent } = await answered(RECEIPT);
  expect(asked).toBe("identity");
  expect(sent.split("\n")).toHaveLength(6);
});

test.for([
  ["gzip", gzipSync(RECEIPT), "gzip"],
  ["gzip by its old name, in capitals", gzipSync(RECEIPT), "X-GZIP"],
  ["deflate", deflateSync(RECEIPT), "deflate"],
  ["deflate without the frame of zlib", deflateRawSync(RECEIPT), "deflate"],
  ["br", brotliCompressSync(RECEIPT), "br"],
  ["zstd", zstdCompressSync(RECEIPT), "zstd"],
  ["identity", RECEIPT, "identity"],
  ["gzip of br", gzipSync(brotliCompressSync(RECEIPT)), "br, gzip"],
  ["no coding, with a byte order mark", Buffer.concat([BOM, RECEIPT]), undefined],
  ["gzip, with a byte order mark", gzipSync(Buffer.concat([BOM, RECEIPT])), "gzip"],
  ["no coding, although the header names one", RECEIPT, "gzip"],
  ["a coding that nobody knows, which it has not", RECEIPT, "constructor"],
] as const)("P1: a receipt is understood in %s", async ([, body, coding]) => {
  const { report } = await answered(body, coding);
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
});

test.for([
  ["is cut", gzipSync(RECEIPT).subarray(0, 30), "gzip"],
  ["is of another coding", brotliCompressSync(RECEIPT), "gzip"],
  ["is zstd and cut", zstdCompressSync(RECEIPT).subarray(0, 15), "zstd"],
  ["is empty", Buffer.alloc(0), "gzip"],
  ["has a coding that nobody knows", gzipSync(RECEIPT), "compress"],
] as const)("P1: one that %s is none", async ([, body, coding]) => {
  const { report } = await answered(body, coding);
  expect(report).toMatchObject({ outcome: "unreachable", sent: { lines: 0 } });
  expect(report.reason).toContain("without a receipt");
});

test.for([
  ["gzip", (bytes: Buffer) => gzipSync(bytes)],
  ["deflate", (bytes: Buffer) => deflateSync(bytes)],
  [
    "br",
    (bytes: Buffer) =>
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  ],
  ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
] as const)("P47: what is decoded of an answer in %s is bounded, too", async ([coding, encode]) => {
  const body = encode(Buffer.concat([RECEIPT, Buffer.alloc(100_000_000, " ")]));
  expect(body.length).toBeLessThan(1_000_000);
  const before = process.memoryUsage.rss();
  const { report } = await answered(body, coding);
  expect(report.reason).toContain("more than 1048576 bytes, which is no receipt");
  expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000);
});
