import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { fileOf, receiverIn, send, tempDir } from "./support.ts";
import { body, entries, line } from "./wire.ts";

const ENCODERS = {
  gzip: gzipSync,
  zstd: (text: string) =>
    zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
};
const EACH = ["gzip", "zstd"] as const;

test("a receipt tells which codings the next part may have", async () => {
  const receiver = await receiverIn(await tempDir());
  const { status, headers } = await send(receiver.url, "k1", body(0, 1));
  expect([status, headers.get("accept-encoding")]).toEqual([200, "zstd, gzip"]);
});

test("an unknown coding is refused with 415 and the codings that are taken", async () => {
  const receiver = await receiverIn(await tempDir());
  const answer = await send(receiver.url, "k1", body(0, 1), { "content-encoding": "br" });
  expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "zstd, gzip"]);
  expect(answer.json.error).toEqual({
    code: "CONTENT_ENCODING",
    message: "Content-Encoding must be one of zstd, gzip, identity",
  });
});

test("a 415 for the media type does not speak of codings", async () => {
  const receiver = await receiverIn(await tempDir());
  const answer = await send(receiver.url, "k1", body(0, 1), { "content-type": "text/plain" });
  expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, null]);
});

test("a receiver of gzip alone refuses zstd and tells so", async () => {
  const receiver = await receiverIn(await tempDir(), { codings: ["gzip"] });
  const zstd = zstdCompressSync(body(0, 2));
  const refused = await send(receiver.url, "k1", zstd, { "content-encoding": "zstd" });
  expect([refused.status, refused.headers.get("accept-encoding")]).toEqual([415, "gzip"]);
  expect(receiver.sessions()).toEqual([]);
  const taken = await send(receiver.url, "k1", body(0, 2));
  expect([taken.status, taken.headers.get("accept-encoding")]).toEqual([200, "gzip"]);
});

test.for(EACH)("a %s body that is not intact is refused and stores nothing", async (coding) => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const whole = ENCODERS[coding](body(0, 1000));
  // Where gzip keeps a length and zstd a checksum.
  const flipped = Buffer.from(whole);
  flipped.writeUInt8(flipped.readUInt8(whole.length - 4) ^ 1, whole.length - 4);
  const bodies = [
    ...[0, 5, whole.length >> 1, whole.length - 1].map((length) => whole.subarray(0, length)),
    flipped,
    Buffer.concat([whole, Buffer.from("more")]),
    Buffer.concat([whole, Buffer.alloc(9)]),
    Buffer.concat([whole, ENCODERS[coding](body(1000, 1001)).subarray(0, -1)]),
  ];
  for (const bytes of bodies) {
    const answer = await send(receiver.url, "k1", bytes, { "content-encoding": coding });
    expect(answer.status).toBe(400);
    expect(answer.json.error.code).toBe("BODY_NOT_INTACT");
  }
  expect(receiver.sessions()).toEqual([]);
  expect(await readdir(join(dir, "staging"))).toEqual([]);
  const taken = await send(receiver.url, "k1", whole, { "content-encoding": coding });
  expect(taken.json.accepted).toBe(1000);
});

test.for(EACH)("a part of several %s frames is one part", async (coding) => {
  const receiver = await receiverIn(await tempDir());
  const frames = [body(0, 2), body(2, 5), ""].map((text) => ENCODERS[coding](text));
  const headers = { "content-encoding": coding };
  const first = await send(receiver.url, "k1", Buffer.concat(frames), headers);
  expect(first.json.accepted).toBe(5);
  expect(await fileOf(receiver)).toBe(entries(0, 5));
  expect((await send(receiver.url, "k1", body(0, 5))).json).toEqual(first.json);
});

test.for(EACH)("a line above the limit is refused in %s too", async (coding) => {
  const receiver = await receiverIn(await tempDir(), { limits: { lineBytes: 100_000 } });
  const bytes = ENCODERS[coding](line({ payload: `{"text":"${"x".repeat(50_000_000)}"}` }));
  const answer = await send(receiver.url, "k1", bytes, { "content-encoding": coding });
  expect(answer.status).toBe(413);
  expect(receiver.sessions()).toEqual([]);
});
