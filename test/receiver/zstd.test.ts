import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Coding } from "../../src/protocol/wire.ts";
import { createDecoder } from "../../src/receiver/codings.ts";

const ENCODERS = { gzip: gzipSync, zstd: zstdCompressSync };
const EACH = Object.keys(ENCODERS) as Coding[];

/** Metadata of any kind, which a decoder passes over (RFC 8878, 3.1.2). */
const SKIPPABLE_FRAME = Buffer.from("502a4d180400000061626364", "hex");

async function decode(coding: Coding, chunks: Iterable<Buffer>): Promise<Buffer> {
  const decoder = createDecoder(coding, [coding]);
  const [decoded] = await Promise.all([
    buffer(decoder),
    pipeline(Readable.from(chunks, { objectMode: false }), decoder),
  ]);
  return decoded;
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );
}

test.for(EACH)("all frames of %s are decoded, wherever the chunks are cut", async (coding) => {
  // Sizes around that of a block, which is where decoders have to be asked again.
  const length = fc.oneof(fc.nat(40), fc.constantFrom(65_535, 65_536, 65_537, 200_000));
  await fc.assert(
    fc.asyncProperty(
      fc.array(length, { minLength: 1, maxLength: 5 }),
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(1_000_000)),
      async (lengths, size) => {
        const texts = lengths.map((length, n) => Buffer.alloc(length, `${n}:`));
        const body = Buffer.concat(texts.map((text) => ENCODERS[coding](text)));
        expect((await decode(coding, cut(body, size))).equals(Buffer.concat(texts))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test("frames of metadata are passed over", async () => {
  const frames = [SKIPPABLE_FRAME, zstdCompressSync("a"), SKIPPABLE_FRAME, zstdCompressSync("b")];
  expect(String(await decode("zstd", [Buffer.concat(frames)]))).toBe("ab");
});

test("what Node's encoder makes of several writes is decoded", async () => {
  const encoder = createZstdCompress();
  const body = buffer(encoder);
  for (let n = 0; n < 5; n++) encoder.write("line\n");
  encoder.end();
  expect(String(await decode("zstd", [await body]))).toBe("line\n".repeat(5));
});

test("a body that is cut anywhere is an error, also after whole frames", async () => {
  const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
  const texts = ["", "text", "x".repeat(300), Array.from({ length: 300 }, (_, n) => n).join()];
  const frames = [
    ...texts.flatMap((text) => [zstdCompressSync(text), zstdCompressSync(text, checked)]),
    SKIPPABLE_FRAME,
  ];
  for (const frame of frames) {
    for (let length = 0; length < frame.length; length++) {
      const cutShort = frame.subarray(0, length);
      await expect(decode("zstd", [cutShort])).rejects.toMatchObject({ code: "ZSTD_CUT_SHORT" });
      if (length === 0) continue;
      const second = decode("zstd", [Buffer.concat([zstdCompressSync("first"), cutShort])]);
      await expect(second).rejects.toMatchObject({ code: "ZSTD_CUT_SHORT" });
    }
  }
});

test("what follows the frames and is none is an error", async () => {
  const frame = zstdCompressSync("text");
  for (const trailer of [Buffer.from("more"), Buffer.from("m"), Buffer.alloc(9)]) {
    for (const chunks of [[Buffer.concat([frame, trailer])], [frame, trailer]]) {
      await expect(decode("zstd", chunks)).rejects.toMatchObject({
        code: expect.stringMatching(/^ZSTD_/),
      });
    }
  }
});

test("a frame that asks for more memory than the coding allows is an error", async () => {
  const window = (log: number) =>
    // Without the size of the content a decoder must believe the window that is named.
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0]);
  expect(await decode("zstd", [window(23)])).toHaveLength(0);
  await expect(decode("zstd", [window(24)])).rejects.toThrow("too much memory");
});

test("a reader that stops makes the writer stop", async () => {
  const decoder = createDecoder("zstd", ["zstd"]);
  const frame = zstdCompressSync(Buffer.alloc(1_000_000, "x"));
  let written = 0;
  while (written < 100 && decoder.write(Buffer.concat(Array(200).fill(frame)))) written++;
  await new Promise((done) => setTimeout(done, 200));
  expect(decoder.writableNeedDrain).toBe(true);
  expect(decoder.readableLength).toBeLessThan(1_000_000);
  decoder.destroy();
});
