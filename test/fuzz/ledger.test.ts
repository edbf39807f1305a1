import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  LedgerError,
  type LedgerFile,
  parseLedger,
  readLedgerFiles,
} from "../../src/ledger/files.ts";
import { ledgerPaths } from "../../src/ledger/paths.ts";

const count = fc.nat();
const position = fc.record({
  offset: count,
  lines: count,
  messages: count,
  fingerprint: fc.stringMatching(/^[0-9a-f]{0,32}$/),
  entry: fc.string(),
});
const part = fc.record({
  end: count,
  bytes: count,
  fingerprint: fc.string(),
  idempotencyKey: fc.string(),
  capturedAt: fc.string(),
  omitted: count,
});
const stream = fc.record(
  {
    store: fc.constantFrom("jsonl" as const, "sqlite" as const),
    generation: count,
    position,
  },
  { noNullPrototype: true },
);
const busyStream = fc.record({
  store: fc.constant("jsonl" as const),
  generation: count,
  position,
  parts: fc.array(part, { minLength: 1, maxLength: 3 }),
  idle: fc.record({ signature: fc.string(), bytes: count, held: count }),
  counted: fc.record({ offset: count, fingerprint: fc.string(), messages: count }),
  searched: fc.record({ from: count, to: count, fingerprint: fc.string() }),
});
const name = fc.stringMatching(/^[a-z]{1,6}$/);
const aside = fc.record({ reason: fc.string(), since: count, attempts: count, retryAt: count });
const session = fc.record(
  {
    generations: count,
    streams: fc.dictionary(name, fc.oneof(stream, busyStream), { noNullPrototype: true }),
    servedAt: count,
    tries: count,
    aside,
    sent: count,
    restartedAt: count,
    forgottenAt: count,
    missing: fc.record({ times: count, at: count }),
    rejected: count,
    omitted: count,
  },
  { requiredKeys: ["generations", "streams"], noNullPrototype: true },
);
const deletion = fc.record(
  {
    agentId: fc.string(),
    sessionId: fc.string(),
    through: count,
    failed: fc.record({ reason: fc.string(), attempts: count, retryAt: count }),
  },
  { requiredKeys: ["through"], noNullPrototype: true },
);
const ledger = fc.record({
  schemaVersion: fc.constant(2 as const),
  revision: count,
  targets: fc.dictionary(
    name,
    fc.record({
      apiUrl: fc.webUrl(),
      deploymentId: fc.string(),
      projectId: fc.string(),
      coding: fc.constantFrom("gzip" as const, "zstd" as const),
      deletions: fc.array(deletion, { minLength: 1, maxLength: 3 }),
      leastGeneration: count,
      sessions: fc.dictionary(name, session, { maxKeys: 4, noNullPrototype: true }),
    }),
    { maxKeys: 2, noNullPrototype: true },
  ),
});

/** What a text means; undefined when it is refused with words for the user. */
function read(text: string): LedgerFile | undefined {
  try {
    return parseLedger(text, "state.json");
  } catch (error) {
    expect(error).toBeInstanceOf(LedgerError);
    return undefined;
  }
}

/** All paths to values, as lists of keys. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

/** Every number a position or a part is made of. */
function numbersOf(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(numbersOf);
}

test("a ledger that was written is read as it was", () => {
  fc.assert(
    fc.property(ledger, (data) => {
      expect(read(JSON.stringify(data))).toEqual({ kind: "good", data });
    }),
  );
});

test("P6: any text is a ledger, damaged, or refused with a reason", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.json());
  fc.assert(
    fc.property(text, (content) => {
      expect(["damaged", "good", "legacy", undefined]).toContain(read(content)?.kind);
    }),
    { numRuns: 2000 },
  );
});

test("P4 P6: a ledger cut anywhere is damaged", () => {
  fc.assert(
    fc.property(
      ledger,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (data, at) => {
        const text = JSON.stringify(data);
        expect(read(text.slice(0, Math.floor(at * text.length)))?.kind).toBe("damaged");
      },
    ),
  );
});

test("P6: a value of a ledger that became another kind of value is never taken for nothing", () => {
  const wrong = fc.constantFrom<unknown>(null, [], true, -1, 0.5, [1], ["x"]);
  const numRuns = 3000;
  fc.assert(
    fc.property(ledger, fc.nat(), wrong, (data, at, by) => {
      const paths = pathsOf(data).filter((path) => !Array.isArray(valueAt(data, path)));
      const path = paths[at % paths.length] ?? [];
      if (path.join() === "schemaVersion") return;
      const file = read(JSON.stringify(replaced(data, path, by)));
      expect(file?.kind).toBe("damaged");
    }),
    { numRuns },
  );
});

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (inner as Record<string, unknown>)[key], value);
}

test("P6: every number of a good ledger can be worked with", () => {
  const odd = fc.oneof(fc.double({ min: 0 }).map(String), fc.constantFrom("1e999", "1e60", "0.1"));
  fc.assert(
    fc.property(ledger, fc.nat(), odd, (data, at, by) => {
      const paths = pathsOf(data).filter((path) => typeof valueAt(data, path) === "number");
      const path = paths[at % paths.length] ?? [];
      // As text: JSON can say more than JSON.stringify would.
      const text = JSON.stringify(replaced(data, path, "@")).replace('"@"', by);
      const file = read(text);
      if (file?.kind !== "good") return;
      expect(numbersOf(file.data).every(Number.isSafeInteger)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("P6: any bytes in the ledger's file are read without another kind of exception", async () => {
  const dir = mkdtempSync(join(tmpdir(), "influxion-fuzz-"));
  const path = ledgerPaths(dir).primary;
  mkdirSync(dirname(path), { recursive: true });
  await fc.assert(
    fc.asyncProperty(ledger, fc.uint8Array({ maxLength: 5 }), fc.nat(), async (data, raw, at) => {
      const text = Buffer.from(JSON.stringify(data));
      text.set(raw.subarray(0, Math.min(raw.length, text.length)), 0);
      const start = at % text.length;
      writeFileSync(path, Buffer.concat([text.subarray(start), text.subarray(0, start)]));
      const file = await readLedgerFiles(dir).catch((error: unknown) => error);
      if (file instanceof Error) expect(file).toBeInstanceOf(LedgerError);
    }),
    { numRuns: 300 },
  );
  rmSync(dir, { recursive: true, force: true });
});
