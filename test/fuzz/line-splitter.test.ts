import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { OMITTED_MARK, wholeLines } from "../../src/lines/line-splitter.ts";

/** Bytes with newlines, multi-byte characters and broken ones close together. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\n",
        "\n\n",
        "\r\n",
        "a",
        "ö",
        "日",
        "🦞",
        "\u0000",
        "\ufeff",
        '{"type":"x"}',
      ),
      fc.string({ unit: "grapheme", maxLength: 8 }),
      fc.uint8Array({ maxLength: 6 }).map((raw) => Buffer.from(raw)),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => Buffer.concat(pieces.map((piece) => Buffer.from(piece))));

/** The bytes in chunks of any sizes, empty ones too. */
async function* chunksOf(content: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield content.subarray(at, at + size);
    at = Math.min(content.length, at + size);
  }
  yield content.subarray(at);
}

/** What must come out for one line, its newline not counted. */
function expected(line: Buffer, hasNewline: boolean, maxLineBytes: number): string {
  const length = line.length + (hasNewline ? 1 : 0);
  if (length > maxLineBytes) return `${OMITTED_MARK}${line.length}\n`;
  return `${isUtf8(line) ? line.toString("latin1") : Buffer.from(line.toString("utf8")).toString("latin1")}\n`;
}

function linesOf(content: Buffer): { line: Buffer; hasNewline: boolean }[] {
  const lines = [];
  for (let start = 0; start < content.length; ) {
    const newline = content.indexOf(10, start);
    const end = newline === -1 ? content.length : newline;
    lines.push({ line: content.subarray(start, end), hasNewline: newline !== -1 });
    start = end + 1;
  }
  return lines;
}

test("P27: whatever the bytes and the chunks, the line splitter emits each whole line once and nothing else", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(bytes, sizes, fc.integer({ min: 1, max: 40 }), async (content, cuts, max) => {
      let out = "";
      let repaired = 0;
      const options = { maxLineBytes: max, onInvalidUtf8: (lines: number) => (repaired += lines) };
      for await (const chunk of wholeLines(chunksOf(content, cuts), options)) {
        expect(chunk.endsWith("\n")).toBe(true);
        out += chunk;
      }
      const lines = linesOf(content);
      expect(out).toBe(
        lines.map(({ line, hasNewline }) => expected(line, hasNewline, max)).join(""),
      );
      const broken = lines.filter(
        ({ line, hasNewline }) => line.length + (hasNewline ? 1 : 0) <= max && !isUtf8(line),
      );
      expect(repaired).toBe(broken.length);
    }),
    { numRuns: 2000 },
  );
});
