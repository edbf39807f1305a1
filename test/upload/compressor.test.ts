import { buffer } from "node:stream/consumers";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Compressor } from "../../src/upload/compressor.ts";

const MAGIC = Buffer.from("28b52ffd", "hex");

/** Of what this encoder makes of letters alone, in which the mark of a frame is not found by chance. */
function framesIn(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(MAGIC); at !== -1; at = body.indexOf(MAGIC, at + 1)) count++;
  return count;
}

test("a zstd body is one frame, however large its blocks are", async () => {
  // Around the sizes of the encoder's own blocks.
  const size = fc.oneof(
    fc.integer({ min: 1, max: 300_000 }),
    fc.constantFrom(1, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 262_144),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 6 }), async (sizes) => {
      const compressor = new Compressor("zstd", () => undefined);
      const body = buffer(compressor.output);
      const blocks = sizes.map((bytes) => Buffer.alloc(bytes, "a line of text\n"));
      for (const block of blocks.slice(0, -1)) await compressor.add(block);
      await compressor.end(blocks.at(-1));
      expect(framesIn(await body)).toBe(1);
      expect(zstdDecompressSync(await body)).toHaveLength(sizes.reduce((sum, one) => sum + one));
    }),
    { numRuns: 200 },
  );
});
