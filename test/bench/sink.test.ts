import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { type SinkOptions, startSink } from "../../bench/lib/sink.ts";

async function post(url: string, key: string, coding: string, body: Buffer<ArrayBuffer>) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "idempotency-key": key, "content-encoding": coding },
    body,
  });
  const { accepted } = (await response.json()) as { accepted: number };
  return { accepted, advertised: response.headers.get("accept-encoding") };
}

test("the sink counts the lines of gzip and of zstd, in however many frames", async () => {
  await using sink = await startSink();
  const gzip = gzipSync("a\nb\n");
  const zstd = Buffer.concat([zstdCompressSync("a\nb\n"), zstdCompressSync("c\n")]);
  expect(await post(sink.url, "k1", "gzip", gzip)).toMatchObject({ accepted: 2 });
  expect(await post(sink.url, "k2", "zstd", zstd)).toMatchObject({ accepted: 3 });
  // Answered from memory, without unpacking.
  expect(await post(sink.url, "k2", "zstd", zstd)).toMatchObject({ accepted: 3 });
  expect(await sink.takeCounts()).toEqual({
    requests: 3,
    wireBytes: gzip.length + 2 * zstd.length,
  });
});

const advertised: [SinkOptions, string | null][] = [
  [{}, null],
  [{ advertise: "zstd" }, "zstd"],
];

test.for(advertised)("a sink that was started with %o advertises %s", async ([options, header]) => {
  await using sink = await startSink(options);
  const answer = await post(sink.url, "k1", "gzip", gzipSync("a\n"));
  expect(answer.advertised).toBe(header);
});
