import { gunzipSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { sentLines } from "../../src/lines/entry.ts";
import { EnvelopeSchema } from "../../src/protocol/wire.ts";
import { createBody } from "../../src/upload/body.ts";

const fields = {
  deploymentId: 'dep"loyment',
  projectId: "prøject",
  agentId: "main",
  sessionId: "s 1",
  capturedAt: "2026-10-01T08:00:00.000Z",
};

const NOTHING_BUT_SPACE = /^[ \t\r]*$/;

const line = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }).map((value) => JSON.stringify(value)),
  fc.string({ unit: "binary" }).map((text) => JSON.stringify({ type: "message", text })),
  fc.constantFrom(
    "",
    " ",
    "\r",
    "\t\r",
    "\ufeff",
    "\u0000\u0000",
    "{}",
    '{"type":1}',
    "[]",
    "\u2028",
  ),
  fc.constantFrom(
    '{"a":1,"a":2}',
    '{"__proto__":1}',
    '{"n":1e999}',
    '{"u":"\\ud800"}',
    '\ufeff{"a":1}',
  ),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc
    .integer({ min: 1, max: 20_000 })
    .map((depth) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`),
  fc.string({ unit: "binary" }),
  fc.uint8Array({ maxLength: 20 }).map((raw) => Buffer.from(raw)),
);

const content = fc
  .array(line, { maxLength: 12 })
  .map((lines) => Buffer.concat(lines.flatMap((one) => [Buffer.from(one), Buffer.from("\n")])));

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("P28 P29: any bytes become whole envelopes, numbered without gaps and counted right", async () => {
  const size = fc.integer({ min: 1, max: 50_000 });
  const firstLine = fc.integer({ min: 0, max: 2 ** 40 });
  const codings = fc.constantFrom("gzip" as const, "zstd" as const);
  await fc.assert(
    fc.asyncProperty(content, size, firstLine, codings, async (bytes, chunk, first, coding) => {
      await using body = createBody({
        lines: inChunks(bytes, chunk),
        fields,
        firstLine: first,
        coding,
      });
      const chunks: Buffer[] = [];
      for await (const piece of body.chunks) chunks.push(piece);
      const decode = coding === "gzip" ? gunzipSync : zstdDecompressSync;
      const text = decode(Buffer.concat(chunks)).toString("utf8");
      const envelopes = text
        .split("\n")
        .slice(0, -1)
        .map((one) => JSON.parse(one) as Record<string, unknown>);
      envelopes.forEach((envelope, index) => {
        expect(envelope.lineIndex).toBe(first + index);
        expect(v.is(EnvelopeSchema, { ...envelope, payload: {} })).toBe(true);
        expect(envelope.payload).toBeTypeOf("object");
      });
      const source = bytes.toString("utf8").split("\n").slice(0, -1);
      const full = source.filter((one) => !NOTHING_BUT_SPACE.test(one));
      // "Nothing vanishes": only lines of nothing but white space are left out.
      expect(envelopes).toHaveLength(full.length);
      expect(sentLines(body.counts)).toBe(full.length);
      expect(body.counts.blank).toBe(source.length - full.length);
      const messages = envelopes.filter(
        ({ payload }) => (payload as { type?: unknown }).type === "message",
      );
      expect(body.counts.messages).toBe(messages.length);
      expect(() => body.lastEntry()).not.toThrow();
    }),
    { numRuns: 300 },
  );
}, 30_000);

test("P29: an entry nested deeper than the stack does not end the run", async () => {
  const deep = `{"type":"message","a":${"[".repeat(100_000)}${"]".repeat(100_000)}}\n`;
  await using body = createBody({
    lines: inChunks(Buffer.from(deep), 65_536),
    fields,
    firstLine: 0,
    coding: "gzip",
  });
  for await (const piece of body.chunks) expect(piece.length).toBeGreaterThan(0);
  expect(body.counts.messages).toBe(1);
  expect(body.lastEntry()).toBeTypeOf("string");
});

test("P29: an entry whose id or timestamp is anything at all does not end the run", async () => {
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>({ toString: 1, valueOf: 1 }, { toString: null }, ["x"], -0),
  );
  const entry = fc.record({ type: fc.constant("message"), id: odd, timestamp: odd });
  const nested = (depth: number): string =>
    `{"type":"x","id":"a","timestamp":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const text = fc.oneof(
    entry.map((value) => JSON.stringify({ ...value, id: "a" })),
    entry.map((value) => JSON.stringify(value)),
    fc.constantFrom(10, 50_000),
  );
  await fc.assert(
    fc.asyncProperty(text, async (line) => {
      const bytes = Buffer.from(`${typeof line === "number" ? nested(line) : line}\n`);
      await using body = createBody({
        lines: inChunks(bytes, 65_536),
        fields,
        firstLine: 0,
        coding: "gzip",
      });
      for await (const piece of body.chunks) expect(piece.length).toBeGreaterThan(0);
      expect(body.lastEntry()).toBeTypeOf("string");
    }),
    { numRuns: 200 },
  );
});
